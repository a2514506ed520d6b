from dsl import *
S='NtAllocateVirtualMemory'
# arguments
file('alloc/type-without-an-action-is-refused','An allocation type with unknown bits, or with none of MEM_COMMIT, MEM_RESERVE, MEM_RESET and MEM_RESET_UNDO, is refused','VA-01',WINE+'test_VirtualAlloc; '+NTW+'test_NtAllocateVirtualMemory',
 [A(None,0x1000,t,'RW',87) for t in ('0','MEM_DECOMMIT','MEM_RELEASE','MEM_FREE','MEM_PHYSICAL','MEM_LARGE_PAGES','MEM_RESERVE|1','MEM_RESERVE|MEM_DECOMMIT','MEM_COMMIT|MEM_RELEASE','MEM_RESERVE|MEM_FREE','MEM_RESERVE|0x40000','MEM_RESERVE|MEM_COMMIT|0x40000000','MEM_RESERVE|0x80000000')]
 +[A(None,0x2000,'R','RW',bind='p')]+[A('p',0x1000,t,'RW',87) for t in ('0','MEM_DECOMMIT','MEM_RELEASE','MEM_COMMIT|2','MEM_COMMIT|0x40000000')]+[Q('p',res('p','p','RW',0x2000)),rel()])
file('alloc/top-down-alone-is-no-action','MEM_TOP_DOWN without MEM_RESERVE or MEM_COMMIT is refused','VA-01','Win32 VirtualAlloc, flAllocationType',
 [A(None,0x1000,'MEM_TOP_DOWN','RW',87),A(None,0x1000,'R','RW',bind='p'),A('p',0x1000,'MEM_TOP_DOWN','RW',87),rel()])
file('alloc/special-kinds-of-memory-exclude-each-other','MEM_WRITE_WATCH, MEM_PHYSICAL and MEM_LARGE_PAGES exclude each other','VA-02','Win32 VirtualAlloc, flAllocationType',
 [A(None,0x10000,t,'RW',87) for t in ('MEM_RESERVE|MEM_WRITE_WATCH|MEM_PHYSICAL','MEM_RESERVE|MEM_COMMIT|MEM_WRITE_WATCH|MEM_LARGE_PAGES','MEM_RESERVE|MEM_COMMIT|MEM_PHYSICAL|MEM_LARGE_PAGES')],level='should')
low=case('low-64k-hints')
file('alloc/addresses-below-64k-are-refused','An address below 64 KiB other than null is refused, whether memory is reserved or committed there','VA-03',RT+S,
 [s for s in low if s['type']!='MEM_RESET']+[A('0xfff',1,'C','RW',87),A('0xffff',1,'RC','RW',87)])
file('alloc/malformed-protection-on-a-commit-is-refused','A commit with a malformed protection is refused and changes nothing','VA-04 SM-04',WINE+'test_VirtualAlloc',
 [A(None,0x3000,'R','NA',bind='p'),A('p',0x1000,'C','RO','at')]+[A('p',0x3000,'C',p,87) for p in (0,3,5,6,7,0x11,0x21,0x30,0x44,0xff)]+[Q('p',com('p','p','NA',0x1000,'RO')),Q('p+0x1000',res('p+0x1000','p','NA',0x2000)),rel()])
file('alloc/addresses-beyond-user-space-are-refused','An address behind the end of user space is refused, whether memory is reserved or committed there','VA-05',RI+S,
 [A(a,0x1000,t,'RW',87) for a in ('0x7fffffff0000','0x7fffffffffff','0x800000000000','0xffff800000000000','0xffffffffffffffff') for t in ('R','C','RC')])
file('alloc/ranges-that-leave-user-space-are-refused','A range that leaves user space or wraps around is refused, before the memory there is looked at','VA-06 SM-04',RI+S,
 [A(None,'0x7fffffff0001','R','RW',87),A(None,'0x800000000000','R','RW',87),A(None,'0xffffffffffffffff','RC','RW',87),
  A(None,0x10000,'R','RW',bind='p'),A('p','0xffffffffffffffff','C','RW',87),A('p','0xfffffffffffff000','C','RW',87),A('p','0x7fffffff0000','R','RW',87),Q('p',res('p','p','RW',0x10000)),rel()])
file('alloc/size-without-a-hole-is-out-of-memory','A size that is legal but fits in no hole is refused for lack of memory','VA-07','knowledge; Wine 8.0 agrees',
 [A(None,0x1000,'R','RW',bind='p'),A(None,'0x7ffffffe0000','R','RW',8),A(None,'0x7ffffffef000','R','RO',8),A(None,'0x7fffffff0000','R','RW',8),Q('p',res('p','p','RW',0x1000)),rel()])
z=case('zero-size-with-address')
file('alloc/size-zero-is-refused','A size of zero is refused at every address','VA-08',WINE+'test_VirtualAlloc',
 [A(None,0,t,'RW',87) for t in ('R','C','RC')]+[s for s in z if s.get('type')!='MEM_RESET']+[A(None,0x2000,'R','RW',bind='p')]+[A('p',0,t,'RW',87) for t in ('R','C','RC')]+[A('p+0x1000',0,'C','RW',87),Q('p',res('p','p','RW',0x2000)),rel()])
file('alloc/malformed-arguments-win-over-a-conflict','A malformed protection or type is reported rather than that the range is taken','VA-31 SM-04',RI+S,
 case('invalid-protect-beats-conflict-reserve')[:-1]+[A('p',0,'R','RW',87),Q('p',res('p','p','RW',0x10000)),rel()])
file('alloc/malformed-protection-wins-over-a-free-address','A commit at a free address with a malformed protection is refused for the protection','VA-31',RI+S,
 case('invalid-protect-beats-free-address-commit')+[A('h+0x10000',0x1000,'C','X|XR',87)])
# protections
file('alloc/copy-on-write-is-refused','PAGE_WRITECOPY and PAGE_EXECUTE_WRITECOPY are refused for private memory, reserved or committed','PR-03 VA-30',WINE+'test_VirtualProtect',
 [A(None,0x1000,t,p,87) for t in ('R','C','RC') for p in ('WC','XWC')]+[A(None,0x1000,'R','RW',bind='p')]+[A('p',0x1000,'C',p,87) for p in ('WC','XWC')]+[Q('p',res('p','p','RW',0x1000)),rel()])
file('alloc/copy-on-write-is-checked-around-the-range-lookup','A copy-on-write protection wins over the conflict of a reservation and loses to the free address of a commit','VA-30',RI+S,
 [A(None,0x10000,'R','RW',bind='p')]+[A('p',0x1000,t,p,87) for t in ('R','RC') for p in ('WC','XWC')]+[rel(),Hole(0x10000)]+[A('h',0x1000,'C',p,487) for p in ('WC','XWC')],level='should')
def table(values,good,src):
    out=[]
    for v in values:
        if v in good: out+= [A(None,0x1000,'RC',v,bind=f'p{v:02x}'),Q(f'p{v:02x}',{'AllocationProtect':prot(v),'Protect':prot(v),'State':'MEM_COMMIT'}),rel(f'p{v:02x}')]
        else: out+=[A(None,0x1000,'RC',v,87),A(None,0x1000,'R',v,87)]
    return out
LOWG={1,2,4}; HIGHG={0x10,0x20,0x40}
file('alloc/table-of-the-low-protection-nibble','Of the sixteen values of the low nibble only NOACCESS, READONLY and READWRITE are protections of private memory','PR-01 PR-03',WINE+'test_VirtualProtect',table(range(16),LOWG,0))
file('alloc/table-of-the-high-protection-nibble','Of the fifteen values of the high nibble only EXECUTE, EXECUTE_READ and EXECUTE_READWRITE are protections of private memory','PR-01 PR-03',WINE+'test_VirtualProtect',table(range(0x10,0x100,0x10),HIGHG,0))
file('alloc/table-of-mixed-protection-nibbles','A base value from each nibble together is no protection','PR-01',WINE+'test_VirtualProtect',[A(None,0x1000,'RC',l|h,87) for l in (1,2,4,8) for h in (0x10,0x20,0x40,0x80)])
file('alloc/guard-or-nocache-on-noaccess-is-refused','PAGE_GUARD and PAGE_NOCACHE cannot go with PAGE_NOACCESS','PR-02','Win32 Memory Protection Constants, PAGE_GUARD, PAGE_NOCACHE',
 [A(None,0x1000,t,p,87) for t in ('R','RC') for p in ('NA|G','NA|N')])
file('alloc/modifiers-exclude-each-other-and-need-a-base','PAGE_GUARD, PAGE_NOCACHE and PAGE_WRITECOMBINE exclude each other and PAGE_NOACCESS, and none of them stands alone','PR-02','Win32 Memory Protection Constants; '+RI+'MiMakeProtectionMask',
 case('protect-modifier-combos')+[A(None,0x1000,t,p,87) for t in ('RC','R') for p in ('W','RW|G|N|W','XR|N|W','G|W')],level='should')
file('alloc/modifiers-on-a-commit-are-checked-too','A commit with contradicting modifiers is refused and changes nothing','VA-04 SM-04','Win32 Memory Protection Constants; '+RI+'MiMakeProtectionMask',
 [A(None,0x2000,'R','RW',bind='p')]+[A('p',0x1000,'C',p,87) for p in ('NA|G','NA|N','NA|W','RW|G|N','RO|G|W','RW|N|W','G','N','W')]+[Q('p',res('p','p','RW',0x2000)),rel()],level='should')
file('alloc/nocache-shows-in-every-page-for-ever','PAGE_NOCACHE is a property of the allocation: it shows in every page, and VirtualProtect does not clear it','PR-05 VP-10',WINE+'test_VirtualAlloc (recent Windows)',case('va-nocache-whole-allocation'))
file('alloc/write-combine-shows-as-nocache-does','PAGE_WRITECOMBINE shows in the allocation and in every page, as PAGE_NOCACHE does','PR-06','inference from PAGE_NOCACHE',
 [A(None,0x2000,'RC','RW|W',bind='p'),Q('p',com('p','p','RW|W',0x2000)),rel()])
# reserve
file('alloc/commit-without-address-reserves','MEM_COMMIT with a null address reserves and commits at an address of the manager\'s choice','VA-09 VA-19',WINE+'test_VirtualAllocEx, test_VirtualProtect',
 case('commit-read-write-exec-ex')[:-1]+[A(None,1,'C','RO',bind='q',e={'aligned':'0x10000'}),Q('q',com('q','q','RO',0x1000)),rel('p'),rel('q')])
ex=[(0,1,0x1000),(0x8000,1,0x9000),(0x10,0x1000,0x2000),(0xFFFF,0x3000,0x13000),(0x1010,0x7000,0x9000),(0x1010,0xC000,0xE000),(0x4080,0x1000,0x6000)]
st=[]
for i,(o,n,sz) in enumerate(ex):
    h=f'h{i}'; st+=[Hole(0x40000,h),A(off(h,o),n,'R','RW',{'address':h}),Q(h,res(h,h,'RW',sz)),rel(h)]
file('alloc/explicit-reservation-is-rounded-outwards','An explicit reservation begins at the address rounded down to 64 KiB and ends with the page of its last byte','VA-10 SM-01',RT+S+', CheckSize, CheckAlignment',st)
file('alloc/explicit-reservation-across-64k-ends-at-a-page','A reservation whose two bytes straddle a 64 KiB boundary takes the block below and one page above','VA-10 SM-01','Win32 VirtualAlloc, lpAddress',case('reserve-straddling-64k-page-end'))
st=[]
for i,(o,n,sz) in enumerate(ex):
    h=f'h{i}'; st+=[Hole(0x40000,h),A(off(h,o),n,'RC','RW',{'address':h}),Q(h,com(h,h,'RW',sz)),rel(h)]
file('alloc/explicit-reserve-and-commit-commits-from-the-rounded-base','MEM_RESERVE with MEM_COMMIT commits every page from the rounded base, those below the address included','VA-11 VA-10',RT+S+', CheckAlignment',st)
file('alloc/pages-below-the-address-are-committed-and-zero','The pages between the rounded base and the address of a reserve-and-commit are real memory that reads as zero','VA-11 VA-26',RT+S+', CheckAlignment',
 [Hole(0x20000),A('h+0x8010',0x10,'RC','RW',{'address':'h'}),R('h',0x9000,0),W('h','01000000'),R('h',4,'01000000'),rel('h')])
file('alloc/null-address-gives-a-64k-base-and-whole-pages','A reservation at null gets a base that is a multiple of 64 KiB and a size rounded up to pages, not to 64 KiB','VA-12 VA-19 SM-01',WINE+'test_VirtualAlloc',
 sum([[A(None,n,'R','NA',bind=f'p{i}',e={'aligned':'0x10000'}),Q(f'p{i}',res(f'p{i}',f'p{i}','NA',sz))] for i,(n,sz) in enumerate([(1,0x1000),(0xfff,0x1000),(0x1000,0x1000),(0x1001,0x2000),(0xfffc,0x10000),(0x10000,0x10000),(0x10001,0x11000)])],[])+[rel(f'p{i}') for i in range(7)])
file('alloc/reserve-commit-protect-query','A reservation is reserved, then committed and protected page by page, and each query shows what was done','VA-12 VA-13 VA-19 VP-08 VP-10',WINE+'test_VirtualAlloc',case('va-reserve-commit-protect-query'))
file('alloc/reserving-what-is-allocated-is-refused','A reservation that overlaps an allocation is refused and changes nothing','VA-15 SM-04',NTW+'test_NtAllocateVirtualMemory',case('reserve-over-reserved-fails'))
file('alloc/reservation-that-touches-an-allocation-with-one-byte-is-refused','A reservation is refused if a single page of it belongs to an allocation, and succeeds if it ends directly before one','VA-15 VA-17',NTW+'test_NtAllocateVirtualMemory; Win32 VirtualAlloc',
 [Hole(0x50000),A('h+0x20000',0x10000,'RC','RW','at'),A('h',0x20001,'R','RW',487),A('h+0x10000',0x30000,'R','RW',487),A('h+0x2f000',0x1000,'R','RW',487),A('h+0x2ffff',2,'R','RW',487),A('h',0x20000,'R','RW','at'),A('h+0x30000',0x10000,'R','RW','at'),Q('h+0x20000',com('h+0x20000','h+0x20000','RW',0x10000)),rel('h'),rel('h+0x20000'),rel('h+0x30000')])
file('alloc/reservation-over-two-allocations-is-refused','A reservation across the gap between two allocations is refused and the gap stays free','VA-15 SM-04','Win32 VirtualAlloc, MEM_RESERVE',
 [Hole(0x40000),A('h',0x10000,'R','RW','at'),A('h+0x20000',0x10000,'R','RO','at'),A('h',0x30000,'R','RW',487),A('h+0x10000',0x10001,'R','RW',487),Q('h+0x10000',fre('h+0x10000',0x10000)),A('h+0x10000',0x10000,'R','NA','at'),rel('h'),rel('h+0x10000'),rel('h+0x20000')],add=['private-arena'])
file('alloc/rest-of-a-64k-block-is-free-but-not-to-be-had','The rest of a 64 KiB block behind a short allocation is free and can be neither reserved nor committed','VA-16 VQ-06 SM-01',RT+S+', CheckAlignment',
 [A(None,0x1000,'R','RW',bind='p'),Q('p+0x1000',fre('p+0x1000',least=0xf000))]+[A(a,0x1000,t,'RW',487) for a in ('p+0x1000','p+0x8000','p+0xf000') for t in ('R','RC','C')]+[Q('p',res('p','p','RW',0x1000)),rel()])
file('alloc/released-base-can-be-reserved-again','Memory that was just released can be reserved again at the same address','VA-17 VA-12 VA-01',WINE+'test_VirtualAlloc',case('va-64k-aligned-and-same-address-again'))
file('alloc/released-place-takes-another-size-and-protection','A place that was released takes a smaller or a larger allocation with another protection','VA-17 VA-25',WINE+'test_VirtualAlloc',
 [Hole(0x40000),A('h',0x20000,'R','RO','at'),rel('h'),A('h',0x1000,'RC','XRW','at'),Q('h',com('h','h','XRW',0x1000)),rel('h'),A('h',0x30000,'R','NA','at'),Q('h',res('h','h','NA',0x30000)),rel('h')])
file('alloc/reserved-and-committed-memory-as-queries-show-it','After a reservation a query shows one reserved region without protection, after reserve-and-commit one committed region','VA-19 VQ-01 VQ-03',WINE+'test_VirtualAlloc',
 sum([[A(None,0x5000,'R',p,bind=f'r{i}'),Q(f'r{i}',res(f'r{i}',f'r{i}',p,0x5000)),A(None,0x5000,'RC',p,bind=f'c{i}'),Q(f'c{i}',com(f'c{i}',f'c{i}',p,0x5000)),rel(f'r{i}'),rel(f'c{i}')] for i,p in enumerate(('NA','RO','RW','X','XR','XRW'))],[]))
# commit
file('alloc/commit-of-two-bytes-across-a-boundary-commits-both-pages','A commit of two bytes that straddle a page boundary commits both pages and returns the base of the first','VA-13 SM-05',RT+S,case('commit-straddling-two-bytes'))
file('alloc/commit-returns-the-page-not-the-allocation','A commit inside an allocation commits the touched pages only and returns the base of the first of them','VA-13 SM-02 SM-05',WINE+'test_VirtualAlloc; Win32 VirtualAlloc',
 [A(None,0x10000,'R','NA',bind='p'),A('p+0x4fff',1,'C','RW',{'address':'p+0x4000'}),A('p+0x7000',0x1000,'C','RO',{'address':'p+0x7000'}),A('p+0x9001',0x1000,'C','XR',{'address':'p+0x9000'}),A('p+0xf123',0xedd,'C','RW',{'address':'p+0xf000'}),
  Q('p',res('p','p','NA',0x4000)),Q('p+0x4000',com('p+0x4000','p','NA',0x1000,'RW')),Q('p+0x5000',res('p+0x5000','p','NA',0x2000)),Q('p+0x7000',com('p+0x7000','p','NA',0x1000,'RO')),Q('p+0x8000',res('p+0x8000','p','NA',0x1000)),Q('p+0x9000',com('p+0x9000','p','NA',0x2000,'XR')),Q('p+0xb000',res('p+0xb000','p','NA',0x4000)),Q('p+0xf000',com('p+0xf000','p','NA',0x1000,'RW')),rel()])
file('alloc/commit-of-the-whole-allocation','A commit may take the whole allocation, named by its exact size or by its first and last byte','VA-13 SM-05','Win32 VirtualAlloc',
 [A(None,0x3000,'R','NA',bind='p'),A('p+0xfff',0x1002,'C','RW',{'address':'p'}),Q('p',com('p','p','NA',0x3000,'RW')),A(None,0x3000,'R','NA',bind='q'),A('q',0x3000,'C','RW','at'),Q('q',com('q','q','NA',0x3000,'RW')),rel('p'),rel('q')])
file('alloc/commit-of-free-memory-is-refused','A commit at an address in no allocation is refused','VA-20','Win32 VirtualAlloc, MEM_COMMIT; '+RI+S,
 [Hole(0x20000),A('h',0x1000,'C','RW',487),A('h+0x1fff',2,'C','RW',487),A('h',0x1000,'R','RW','at'),rel('h'),A('h',0x1000,'C','RW',487)])
file('alloc/commit-past-the-end-commits-nothing','A commit that runs past the end of its allocation is refused and nothing is committed','VA-21 SM-04',RT+S+', CheckAlignment',
 case('commit-beyond-reservation-end')[:-1]+[A('p',0x3001,'C','RW',487),A('p+0x2fff',2,'C','RW',487),A('p',0x100000,'C','RW',487),Q('p',res('p','p','RW',0x3000)),rel()])
file('alloc/commit-into-a-neighbour-commits-nothing','A commit that runs from one allocation into the next is refused, reserved or committed as the next may be','VA-21 SM-03 SM-04',RT+S+', CheckAdjacentVADs',
 [Hole(0x30000),A('h',0x10000,'R','RW','at'),A('h+0x10000',0x10000,'R','RW','at'),A('h+0x20000',0x10000,'RC','RW','at'),A('h+0xf000',0x2000,'C','RW',487),A('h+0x1f000',0x2000,'C','RW',487),A('h',0x30000,'C','RW',487),Q('h',res('h','h','RW',0x10000)),Q('h+0x10000',res('h+0x10000','h+0x10000','RW',0x10000)),rel('h'),rel('h+0x10000'),rel('h+0x20000')])
file('alloc/committing-again-keeps-contents','A commit of committed pages with the protection they have succeeds and keeps their contents','VA-22 ZF-02',WINE+'test_VirtualProtect; Win32 VirtualAlloc',
 [A(None,0x3000,'RC','RW',bind='p'),Fill('p',0x3000,0x5a),A('p+0x1000',0x1000,'C','RW',{'address':'p+0x1000'}),A('p',0x3000,'C','RW','at'),A('p+0xfff',2,'C','RW',{'address':'p'}),R('p',0x3000,0x5a),Q('p',com('p','p','RW',0x3000)),rel()])
file('alloc/committing-again-changes-the-protection','A commit of committed pages with another protection gives it to every page of the range and keeps contents','VA-23 ZF-02 SM-02',RT+S+', CheckAlignment, CheckAdjacentVADs',
 [A(None,0x5000,'R','RW',bind='p'),A('p',0x1000,'C','NA','at'),A('p+0x1000',0x1000,'C','RW',{'address':'p+0x1000'}),Fill('p+0x1000',0x1000,0x77),A('p+0x3000',0x1000,'C','XRW',{'address':'p+0x3000'}),A('p',0x4000,'C','RO','at'),Q('p',com('p','p','RW',0x4000,'RO')),Q('p+0x4000',res('p+0x4000','p','RW',0x1000)),R('p',0x1000,0),R('p+0x1000',0x1000,0x77),R('p+0x2000',0x2000,0),rel()])
file('alloc/committing-again-opens-a-noaccess-page','A commit of a PAGE_NOACCESS page with PAGE_READWRITE opens it','VA-23',RT+S+', CheckAlignment',
 [A(None,0x2000,'RC','NA',bind='p'),R('p',4,av('read','p')),A('p',0x1000,'C','RW','at'),W('p','2a000000'),R('p',4,'2a000000'),Q('p',com('p','p','NA',0x1000,'RW')),Q('p+0x1000',com('p+0x1000','p','NA',0x1000)),rel()])
base=['NA','RO','RW','X','XR','XRW']
st=[A(None,0x1000,'RC','NA',bind='p')]
for a in base:
    for b in base: st+=[A('p',0x1000,'C',a,'at'),A('p',0x1000,'C',b,'at'),Q('p',com('p','p','NA',0x1000,b))]
file('alloc/committing-again-can-give-every-protection','A page committed with any protection can be committed again with any other','VA-22 VA-23 VA-25',WINE+'test_VirtualProtect',st+[rel()])
file('alloc/new-pages-are-zero-beside-written-ones','Newly committed pages read as zero, whatever their neighbours hold','VA-26 ZF-01',RT+'NtFreeVirtualMemory, TestFreeNoAccess; Win32 VirtualAlloc',
 [A(None,0x4000,'R','RW',bind='p'),A('p+0x1000',0x1000,'C','RW',{'address':'p+0x1000'}),Fill('p+0x1000',0x1000,0xff),A('p',0x4000,'C','RW','at'),R('p',0x1000,0),R('p+0x1000',0x1000,0xff),R('p+0x2000',0x2000,0),rel()])
M={'commit_limit':'0x100000'}
oom={'error':['ERROR_COMMITMENT_LIMIT','ERROR_NOT_ENOUGH_MEMORY']}
file('alloc/commit-limit-is-exact','A commit that would exceed the commit limit is refused and commits nothing; a reservation costs nothing','VA-27 SM-04','Win32 VirtualAlloc, Remarks (what is charged); Wine 8.0 says 8 instead of 1455',
 [A(None,0x1000000,'R','RW',bind='p'),A('p',0x100000,'C','RW','at'),A('p+0x100000',1,'C','RW',oom),A(None,0x1000,'RC','RW',oom),Q('p+0x100000',res('p+0x100000','p','RW',0xf00000)),dec('p',0x1000),A('p+0x100000',1,'C','RW',{'address':'p+0x100000'}),rel(),A(None,0x100000,'RC','RW',bind='q'),rel('q')],machine=M)
file('alloc/commit-limit-counts-a-page-once','Committing committed pages again is not charged again','VA-27 VA-22','Win32 VirtualAlloc, Remarks (what is charged)',
 [A(None,0x200000,'R','RW',bind='p'),A('p',0xff000,'C','RW','at'),A('p',0xff000,'C','RO','at'),A('p',0x100000,'C','RW','at'),A('p',0x100000,'C','RW','at'),A('p',0x101000,'C','RW',oom),Q('p',com('p','p','RW',0x100000)),rel()],machine=M)
file('alloc/out-of-memory-is-e-outofmemory','A refusal for lack of address space is E_OUTOFMEMORY','HR-01 VA-07','Hosting interface, IHostMemoryManager::VirtualAlloc, return values',
 [A(None,'0x7ffffffef000','R','RW',{'error':ERR[8],'hresult':'E_OUTOFMEMORY'})])
file('alloc/out-of-commit-is-e-outofmemory','A refusal for lack of commit is E_OUTOFMEMORY','HR-01 VA-27','Hosting interface, IHostMemoryManager::VirtualAlloc, return values',
 [A(None,0x200000,'RC','RW',{**oom,'hresult':'E_OUTOFMEMORY'})],machine=M)
file('alloc/other-refusals-carry-the-win32-error','A refusal for another reason is the HRESULT of its Win32 error','HR-03','hostmem\'s own choice; the hosting interface lists only general codes',
 [A(None,0,'R','RW',{'error':ERR[87],'hresult':'E_INVALIDARG'}),Hole(0x10000),A('h',0x1000,'C','RW',{'error':ERR[487],'hresult':'0x800701e7'})])
# special
file('alloc/physical-memory-stands-nearly-alone','MEM_PHYSICAL goes with MEM_RESERVE, MEM_TOP_DOWN and PAGE_READWRITE only','VA-45','Win32 VirtualAlloc, MEM_PHYSICAL',
 [A(None,0x10000,'MEM_RESERVE|MEM_COMMIT|MEM_PHYSICAL','RW',87),A(None,0x10000,'MEM_COMMIT|MEM_PHYSICAL','RW',87)]+[A(None,0x10000,'MEM_RESERVE|MEM_PHYSICAL',p,87) for p in ('NA','RO','XRW','X')])
file('alloc/physical-memory-can-be-reserved','A reservation for physical pages needs no privilege and shows as private reserved memory','VA-45','Win32 VirtualAlloc, MEM_PHYSICAL',
 [A(None,0x10000,'MEM_RESERVE|MEM_PHYSICAL','RW',bind='p',e={'aligned':'0x10000'}),Q('p',{'AllocationBase':'p','RegionSize':'0x10000','Type':'MEM_PRIVATE'}),rel()],level='should')
file('alloc/large-pages-need-commit-and-a-privilege','MEM_LARGE_PAGES is refused without MEM_COMMIT, and without the privilege or a whole large page otherwise','VA-46','Win32 VirtualAlloc, MEM_LARGE_PAGES',
 [A(None,0x200000,'MEM_RESERVE|MEM_LARGE_PAGES','RW',87),A(None,0x1000,'MEM_RESERVE|MEM_COMMIT|MEM_LARGE_PAGES','RW',{'error':[ERR[1314],ERR[87]]}),A(None,0x200000,'MEM_RESERVE|MEM_COMMIT|MEM_LARGE_PAGES','RW',{'error':[ERR[1314],ERR[87]]})])
file('alloc/top-down-gives-an-aligned-place','MEM_TOP_DOWN at null gives a 64 KiB aligned place; which one is not said','VA-50','Win32 VirtualAlloc, MEM_TOP_DOWN',case('top-down-basic'))
file('alloc/top-down-and-bottom-up-never-overlap','Places chosen from above and from below differ, and each behaves as any other','VA-50 VA-12 SM-03','Win32 VirtualAlloc, MEM_TOP_DOWN',
 [A(None,0x10000,'R','RW',bind='a'),A(None,0x10000,'MEM_RESERVE|MEM_TOP_DOWN','RO',bind='b'),A(None,0x9000,'MEM_COMMIT|MEM_TOP_DOWN','RW',bind='c'),A(None,0x10000,'RC','RW',bind='d'),Q('a',res('a','a','RW',0x10000)),Q('b',res('b','b','RO',0x10000)),Q('c',com('c','c','RW',0x9000)),Q('d',com('d','d','RW',0x10000)),rel('c'),rel('a'),rel('d'),rel('b')])
file('alloc/top-down-means-nothing-with-an-address','MEM_TOP_DOWN has no effect with an explicit address or on a commit','VA-51',RI+S+'; Wine 8.0 agrees',case('top-down-explicit-address-and-commit'))
file('alloc/critical-level-does-not-change-the-answer','The critical level says what a failure endangers, not what the answer is','VA-12 VA-13 VA-20','Hosting interface, EMemoryCriticalLevel',
 sum([[A(None,0x2000,'R','RW',bind=f'p{i}',critical=c),A(f'p{i}',0x1000,'C','RW','at',critical=c),Q(f'p{i}',com(f'p{i}',f'p{i}','RW',0x1000)),rel(f'p{i}'),A(f'p{i}',0x1000,'C','RW',487,critical=c)] for i,c in enumerate(('eTaskCritical','eAppDomainCritical','eProcessCritical'))],[]))
file('alloc/pages-of-another-size','On a machine with pages of 16 KiB ranges are rounded to those','VA-13 SM-05 SM-01','Win32 GetSystemInfo, dwPageSize',
 [A(None,1,'R','RW',bind='p',e={'aligned':'0x10000'}),Q('p',res('p','p','RW',0x4000)),A(None,0x10000,'R','RW',bind='q'),A('q+0x3fff',2,'C','RW',{'address':'q'}),Q('q',com('q','q','RW',0x8000)),Q('q+0x9234',res('q+0x8000','q','RW',0x8000)),rel('p'),rel('q')],machine={'page':'0x4000'})
# threads
file('alloc/two-threads-race-for-one-place','Of two threads that reserve the same place at once exactly one gets it','VA-15 VA-17','Hosting interface: every method may be called from any thread',
 [Hole(0x20000),A('h',0x10000,'R','RW',thread=1,**{'with':1}),A('h+0x8000',0x10000,'R','RW',thread=2,**{'with':1}),A('h',0x1000,'C','RW','at'),rel('h')])
file('alloc/threads-commit-parts-of-one-allocation','Threads that commit different pages of one allocation at once do not disturb each other','VA-13','CLR workloads: server collections commit in parallel into one reservation',
 [A(None,0x60000,'R','RW',bind='p')]+[A(off('p',0x10000*i),0x8000,'C','RW',{'address':off('p',0x10000*i)},thread=i,**{'with':1}) for i in range(6)]+sum([[Q(off('p',0x10000*i),com(off('p',0x10000*i),'p','RW',0x8000)),Q(off('p',0x10000*i+0x8000),res(off('p',0x10000*i+0x8000),'p','RW',0x8000))] for i in range(6)],[])+[rel()])

file('alloc/success-is-nothing-but-s-ok','Where the runtime compares with S_OK, no other success code will do','HR-04','CLR source, EEVirtualAlloc, EEVirtualFree, EEVirtualProtect',
 [A(None,0x2000,'R','RW',bind='p'),A('p',0x1000,'C','RW','at'),P('p',0x1000,'RO','RW'),dec('p',0x1000),rel()])
file('alloc/small-requests-are-not-refused','A manager with most of its memory unused does not refuse small requests','RS-01','what a caller may expect of any manager',
 [A(None,0x1000000,'RC','RW',bind='p'),A(None,0x2000000,'R','RW',bind='q'),A('q',0x1000000,'C','RW','at'),rel('p'),rel('q')])
