from dsl import *
HA='Hosting interface, IHostMalloc::Alloc; CLR source, EEHeapAlloc'
def CM(kind,bind='m',e='ok',**kw): return step('CreateMalloc',{'kind':kind},e,{'bind':bind,**kw})
def Al(n,bind=None,m='m',e=None,**kw):
    if bind and e is None: e='ok'
    return step('Alloc',{'malloc':m,'size':num(n)},e,{'bind':bind,**kw})
def DA(n,f,l,bind=None,m='m',e='ok',**kw): return step('DebugAlloc',{'malloc':m,'size':num(n),'file':f,'line':l},e,{'bind':bind,**kw})
def Fr(a,m='m',e='ok',**kw): return step('Free',{'malloc':m,'address':a},e,kw)
TS='MALLOC_THREADSAFE'
NO={'hresult':'HOST_E_INVALIDOPERATION'}
AL={'aligned':'0x10'}
file('malloc/every-kind-of-heap-can-be-made','CreateMalloc accepts every combination of MALLOC_THREADSAFE and MALLOC_EXECUTABLE','HM-01','mscoree.idl, MALLOC_TYPE; CLR source, CorHost2::SetHostControl',
 sum([[CM(k,f'm{i}'),Al(0x40,f'a{i}',f'm{i}',AL),Fr(f'a{i}',f'm{i}')] for i,k in enumerate(('0',TS,'MALLOC_EXECUTABLE',TS+'|MALLOC_EXECUTABLE'))],[]))
file('malloc/unknown-kinds-may-be-refused','CreateMalloc with unknown bits may succeed or be refused','HM-02','nothing documents it: both permitted',[CM('4',None,None),CM('MALLOC_THREADSAFE|0x80000000',None,None)])
file('malloc/blocks-are-aligned-and-apart','Alloc gives blocks aligned to 16 bytes that do not overlap','HM-03 HM-07',HA,
 [CM(TS)]+[Al(n,f'a{i}',e=AL) for i,n in enumerate((1,8,15,16,17,100,0x1000,0x10001))]+[Fill(f'a{i}',n,0x10+i) for i,n in enumerate((1,8,15,16,17,100,0x1000,0x10001))]+[R(f'a{i}',n,0x10+i) for i,n in enumerate((1,8,15,16,17,100,0x1000,0x10001))]+[Fr(f'a{i}') for i in (3,0,7,1,6,2,5,4)])
file('malloc/size-zero-gives-a-block','A block of no bytes is a block: it is aligned, distinct and can be freed','HM-03 HM-04',HA,[CM(TS),Al(0,'a',e=AL),Al(0,'b',e=AL),Fr('a'),Fr('b')],level='may')
file('malloc/large-blocks','Blocks larger than any page or granule behave as small ones do','HM-03 HM-07',HA,[CM(TS),Al(0x100000,'a',e=AL),Al(0x400001,'b',e=AL),Fill('a',0x100000,1),Fill('b',0x400001,2),R('a',0x100000,1),R('b',0x400001,2),Fr('a'),Fr('b')])
file('malloc/live-block-can-be-freed','Free of a live block succeeds, in any order','HM-04','Hosting interface, IHostMalloc::Free; CLR source, EEHeapFree',[CM(TS),Al(0x20,'a'),Al(0x20,'b'),Al(0x20,'c'),Fr('b'),Fr('a'),Al(0x20,'d'),Fr('c'),Fr('d')])
file('malloc/null-can-be-freed','Free of a null pointer succeeds, on a fresh heap and on one in use','HM-05','CLR source, EEHeapFree: Free(NULL) reaches the host',[CM(TS),Fr(None),Al(0x20,'a'),Fr(None),Fr('a'),Fr(None)])
file('malloc/what-is-no-live-block-cannot-be-freed','Free of anything but a live block of this heap is HOST_E_INVALIDOPERATION and harms no block','HM-06 HM-04','Hosting interface, IHostMalloc::Free, return values',
 [CM(TS),Al(0x40,'a'),Fill('a',0x40,0x5a),Fr('a+0x10',e=NO),Fr('a-0x10',e=NO),Fr('a+1',e=NO),Fr('0x1000',e=NO),Fr('0xffff800000000000',e=NO),R('a',0x40,0x5a),Fr('a'),Fr('a',e=NO)])
file('malloc/block-of-another-heap-cannot-be-freed','A block can be freed by its own heap only','HM-06 HM-04','Hosting interface, IHostMalloc::Free, return values',[CM(TS,'m'),CM(TS,'n'),Al(0x40,'a','m'),Al(0x40,'b','n'),Fr('a','n',NO),Fr('b','m',NO),Fr('a','m'),Fr('b','n')])
file('malloc/virtual-memory-is-no-block','Memory from VirtualAlloc is no block of any heap','HM-06','Hosting interface, IHostMalloc::Free, return values',[CM(TS),A(None,0x1000,'RC','RW',bind='p'),Fr('p',e=NO),Q('p',com('p','p','RW',0x1000)),rel()])
file('malloc/blocks-keep-their-contents','A block keeps what was written to it while other blocks come and go','HM-07',HA,[CM(TS),Al(0x200,'a'),Fill('a',0x200,0xa1)]+sum([[Al(0x200,f't{i}'),Fill(f't{i}',0x200,0xff),Fr(f't{i}')] for i in range(4)],[])+[R('a',0x200,0xa1),W('a+0x1ff','00'),R('a+0x1fe',2,'a100'),Fr('a')])
file('malloc/debug-alloc-is-alloc','DebugAlloc gives a block as Alloc does, whatever file and line it is told','HM-08 HM-04','Hosting interface, IHostMalloc::DebugAlloc; mscoree.idl',
 [CM(TS),DA(0x30,'gc.cpp',1234,'a',e=AL),DA(0x30,'',0,'b',e=AL),DA(1,'c:\\\\clr\\\\src\\\\vm\\\\hosting.cpp',2147483647,'c',e=AL),Fill('a',0x30,7),R('a',0x30,7),Fr('b'),Fr('a'),Fr('c')])
file('malloc/code-runs-in-an-executable-heap','Code runs in a block of a heap made with MALLOC_EXECUTABLE','HM-09','Hosting interface, MALLOC_TYPE',[CM(TS+'|MALLOC_EXECUTABLE'),Al(0x20,'a'),W('a','c3'),X('a'),W('a+0x10','c3'),X('a+0x10'),Fr('a')])
file('malloc/code-may-fault-in-a-plain-heap','Code in a block of a heap made without MALLOC_EXECUTABLE may run or fault','HM-09','Hosting interface, MALLOC_TYPE',[CM(TS),Al(0x20,'a'),W('a','c3'),X('a',None),Fr('a')],level='may',add=['faults'])
file('malloc/critical-level-does-not-change-the-answer','Blocks are given for every critical level','HM-03','Hosting interface, EMemoryCriticalLevel',[CM(TS)]+sum([[Al(0x40,f'a{i}',e=AL,critical=c),Fr(f'a{i}')] for i,c in enumerate(('eTaskCritical','eAppDomainCritical','eProcessCritical'))],[]))
file('malloc/threads-share-a-heap','Threads may use one thread-safe heap at once','HM-03 HM-04 HM-01','mscoree.idl, MALLOC_THREADSAFE',
 [CM(TS)]+[Al(0x100,f'a{i}',e=AL,thread=i,**{'with':1}) for i in range(6)]+[Fill(f'a{i}',0x100,i) for i in range(6)]+[R(f'a{i}',0x100,i) for i in range(6)]+[Fr(f'a{i}',thread=5-i,**{'with':2}) for i in range(6)])
file('malloc/injected-refusals-end','Injected refusals reach as many calls as asked for, up to their critical level, and no more','HM-03 HM-04','scenario format, FailNext',
 [CM(TS),{'call':'FailNext','method':'Alloc','count':2},Al(0x20,e={'hresult':'E_OUTOFMEMORY'}),Al(0x20,e={'hresult':'E_OUTOFMEMORY'}),Al(0x20,'a'),{'call':'FailNext','method':'Alloc','critical_at_most':'eTaskCritical'},Al(0x20,'b',critical='eProcessCritical'),Al(0x20,e={'hresult':'E_OUTOFMEMORY'}),Al(0x20,'c'),Fr('a'),Fr('b'),Fr('c')])
# load
LD='Hosting interface, GetMemoryLoad; CLR source, GetProcessMemoryLoad'
GL=lambda e='ok',**kw: step('GetMemoryLoad',{},e,kw)
SL=lambda l,a,e='ok',**kw: step('SetMemoryLoad',{'load':l,'available':num(a)},e,kw)
REG=lambda e='ok',**kw: step('RegisterMemoryNotificationCallback',{},e,kw)
note=lambda *n:{'notified':['eMemoryAvailable'+x for x in n]}
file('load/load-is-told','GetMemoryLoad succeeds at any time, as often as it is asked','ML-01',LD,[GL(),GL(),A(None,0x100000,'RC','RW',bind='p'),GL(),rel(),GL()])
file('load/load-that-was-set-is-told','A simulated machine tells exactly the load that was set','ML-02 ML-01','scenario format, SetMemoryLoad',sum([[SL(l,a),GL({'load':l,'available':num(a)})] for l,a in ((0,0x400000000),(50,0x200000000),(85,0x99999999),(99,0x100000),(100,0),(1,1))],[]))
file('load/load-above-100-is-refused','A load above 100 percent is refused and the load stays','ML-02','scenario format, SetMemoryLoad',[SL(42,0x1000000),SL(101,0,87),SL(4294967295,0,87),GL({'load':42,'available':'0x1000000'})])
MM={'physical':'0x100000000'}
NB='Hosting interface, EMemoryAvailable; Win32 CreateMemoryResourceNotification'
MB=1<<20
file('load/registering-notifies-nothing','Registering the callback notifies nothing, whatever the load','NT-01','Hosting interface, RegisterMemoryNotificationCallback',[SL(99,MB),REG(note()),SL(99,MB,note()),GL()],machine=MM)
file('load/nobody-is-notified-before-registering','Without a callback nothing is delivered, and what changed before is not delivered later','NT-02 NT-01',NB,[SL(99,MB,note()),SL(10,0xf0000000,note()),REG(note()),SL(11,0xe0000000,note())],machine=MM)
file('load/low-neutral-and-high-are-told-when-they-change','Low, neutral and high are each delivered once, when the available memory enters them','NT-02',NB,
 [REG(note()),SL(50,2<<30,note()),SL(98,64*MB,note('Neutral')),SL(98,60*MB,note()),SL(99,20*MB,note('Low')),SL(100,0,note()),SL(98,50*MB,note('Neutral')),SL(10,3<<30,note('High')),SL(5,0xf0000000,note()),SL(99,10*MB,note('Low')),SL(10,3<<30,note('High'))],machine=MM)
file('load/boundaries-of-low-and-high','On 4 GiB memory is low up to 32 MiB available and high from 96 MiB','NT-02',NB,
 [REG(note()),SL(98,96*MB,note()),SL(98,96*MB-1,note('Neutral')),SL(99,32*MB+1,note()),SL(99,32*MB,note('Low')),SL(99,32*MB+1,note('Neutral')),SL(98,96*MB-1,note()),SL(98,96*MB,note('High'))],machine=MM)
file('load/bursts-of-low-are-told-once','Low memory that gets lower is not told again; each return to low is','NT-02',NB,[REG(note())]+[SL(99,(10-i)*MB,note('Low') if i==0 else note()) for i in range(5)]+[SL(50,2<<30,note('High')),SL(99,MB,note('Low')),SL(98,64*MB,note('Neutral')),SL(99,MB,note('Low'))],machine=MM)
# address-space notices
ND=lambda a,n,e=None,**kw: step('NeedsVirtualAddressSpace',{'address':a,'size':num(n)},e,kw)
AQ=lambda a,n,e='ok',**kw: step('AcquiredVirtualAddressSpace',{'address':a,'size':num(n)},e,kw)
RV=lambda a,e='ok',**kw: step('ReleasedVirtualAddressSpace',{'address':a},e,kw)
CU='CLR source, CLRMapViewOfFileEx, CLRUnmapViewOfFile; Hosting interface'
file('notice/room-may-be-granted-or-declined','NeedsVirtualAddressSpace accepts any range, null and size zero included, or declines with E_OUTOFMEMORY','AS-01',CU,[ND(None,0),ND(None,0x100000),ND('0x10000000',0),ND('0x10000000',0x200000),Hole(0x10000),ND('h',0x10000)])
file('notice/acquired-space-is-taken-note-of','AcquiredVirtualAddressSpace is taken note of, whatever its size, and ReleasedVirtualAddressSpace with it','AS-02 AS-03',CU,[Hole(0x40000),AQ('h',0x10000),AQ('h+0x20000',0),RV('h'),RV('h+0x20000')])
file('notice/unknown-base-may-be-released','ReleasedVirtualAddressSpace accepts a base that was never announced, and one that was already released','AS-03',CU,[Hole(0x20000),RV('h'),AQ('h',0x1000),RV('h'),RV('h'),RV(None)])
file('notice/released-space-can-be-reserved','Space that was announced and released again can be reserved','AS-03 VA-17',CU,[Hole(0x20000),AQ('h',0x20000),RV('h'),A('h',0x20000,'R','RW','at'),Q('h',res('h','h','RW',0x20000)),rel('h')])
file('notice/announced-space-may-show-as-taken','A query of space that the runtime announced may show it as free or as taken','AS-04 AS-02','inference: the manager need not know what the runtime mapped',[Hole(0x20000),AQ('h',0x10000),Q('h'),Q('h+0x8000'),RV('h'),Q('h')])
file('notice/memory-calls-go-on-beside-notices','Announcements of mapped images do not disturb the manager\'s own memory','AS-02 AS-03 AS-01',CU,
 [A(None,0x20000,'RC','RW',bind='p'),Fill('p',0x20000,0x3c),Hole(0x30000),ND(None,0),AQ('h',0x30000),A(None,0x1000,'RC','RW',bind='q'),P('p',0x1000,'RO','RW'),RV('h'),R('p',0x20000,0x3c),Q('p',com('p','p','RW',0x1000,'RO')),rel('q'),rel('p')])

file('notice/any-success-code-will-do','The three notices and VirtualQuery succeed with any success code, because the runtime only looks for failure','HR-05','CLR source, EEVirtualQuery, CLRMapViewOfFileEx',[A(None,0x1000,'R','RW',bind='p'),Q('p',res('p','p','RW',0x1000)),ND(None,0),Hole(0x10000),AQ('h',0x1000),RV('h'),rel('p')])
