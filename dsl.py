import json, os, re, shutil
OUT='/tmp/wt/format/scenarios'
CASES='/work/shared/cases'
LEVELS={}
for m in re.finditer(r'\b[A-Z]{2}_\w+ "([A-Z]{2}-\w+)" (Must|Should|May) ', open('/work/main/model/src/rule.rs').read()):
    LEVELS[m.group(1)]=m.group(2).lower()
ORDER=['contents','faults','execute','guard-pages','write-watch','buffers','malloc','memory-load','memory-load-control','notifications','address-space-notices','top-down','reset','nocache','query','private-arena']
T={'R':'MEM_RESERVE','C':'MEM_COMMIT','RC':'MEM_RESERVE|MEM_COMMIT','RW':'MEM_RESERVE|MEM_WRITE_WATCH','RCW':'MEM_RESERVE|MEM_COMMIT|MEM_WRITE_WATCH','RESET':'MEM_RESET','UNDO':'MEM_RESET_UNDO','D':'MEM_DECOMMIT','X':'MEM_RELEASE'}
PR={'NA':'PAGE_NOACCESS','RO':'PAGE_READONLY','RW':'PAGE_READWRITE','WC':'PAGE_WRITECOPY','X':'PAGE_EXECUTE','XR':'PAGE_EXECUTE_READ','XRW':'PAGE_EXECUTE_READWRITE','XWC':'PAGE_EXECUTE_WRITECOPY','G':'PAGE_GUARD','N':'PAGE_NOCACHE','W':'PAGE_WRITECOMBINE'}
ERR={87:'ERROR_INVALID_PARAMETER',487:'ERROR_INVALID_ADDRESS',8:'ERROR_NOT_ENOUGH_MEMORY',24:'ERROR_BAD_LENGTH',998:'ERROR_NOACCESS',1314:'ERROR_PRIVILEGE_NOT_HELD',1455:'ERROR_COMMITMENT_LIMIT'}
def typ(t):
    if isinstance(t,int): return hex(t)
    return T.get(t,t)
def prot(p):
    if isinstance(p,int): return hex(p) if p>9 else str(p)
    return '|'.join(PR.get(x,x) for x in p.split('|'))
def num(n): return n if isinstance(n,str) else (n if 0<=n<=9 else hex(n))
def exp(e):
    if isinstance(e,int): return {'error':ERR[e]}
    return e
def step(call,args,e,kw):
    d={'call':call,**args}
    d.update({k:v for k,v in kw.items() if v is not None})
    if e is not None: d['expect']=exp(e)
    return d
def A(a,n,t,p,e=None,bind=None,**kw):
    """VirtualAlloc; e='at': returns its own address"""
    if e=='at': e={'address':a}
    if bind and e is None: e='ok'
    return step('VirtualAlloc',{'address':a,'size':num(n),'type':typ(t),'protect':prot(p)},e,{'bind':bind,**kw})
def F(a,n,t,e='ok',**kw): return step('VirtualFree',{'address':a,'size':num(n),'type':typ(t)},e,kw)
def rel(a='p',e='ok',**kw): return F(a,0,'X',e,**kw)
def dec(a,n,e='ok',**kw): return F(a,n,'D',e,**kw)
def P(a,n,p,e,**kw):
    if isinstance(e,str) and e not in('ok','fails'): e={'old':prot(e)}
    return step('VirtualProtect',{'address':a,'size':num(n),'protect':prot(p)},e,kw)
def Q(a,e=None,**kw): return step('VirtualQuery',{'address':a},e,kw)
def off(name,n): return name if n==0 else f'{name}+{hex(n) if n>9 else n}'
def res(base,abase,aprot,size): return {'BaseAddress':base,'AllocationBase':abase,'AllocationProtect':prot(aprot),'RegionSize':num(size),'State':'MEM_RESERVE','Protect':'0','Type':'MEM_PRIVATE'}
def com(base,abase,aprot,size,p=None): return {'BaseAddress':base,'AllocationBase':abase,'AllocationProtect':prot(aprot),'RegionSize':num(size),'State':'MEM_COMMIT','Protect':prot(p or aprot),'Type':'MEM_PRIVATE'}
def fre(base,size=None,least=None):
    d={'BaseAddress':base,'AllocationBase':None,'AllocationProtect':'0','State':'MEM_FREE','Protect':'PAGE_NOACCESS','Type':'0'}
    if size is not None: d['RegionSize']=num(size)
    if least is not None: d['RegionSizeAtLeast']=num(least)
    return d
def Hole(n,bind='h'): return {'call':'Hole','size':num(n),'bind':bind}
def R(a,n,e,**kw):
    if isinstance(e,int): e={'fill':e}
    elif isinstance(e,str) and re.fullmatch('[0-9a-f]+',e) : e={'bytes':e}
    return step('Read',{'address':a,'size':num(n)},e,kw)
def W(a,b,e='ok',**kw): return step('Write',{'address':a,'bytes':b},e,kw)
def Fill(a,n,b,e='ok',**kw): return step('Write',{'address':a,'size':num(n),'fill':b},e,kw)
def X(a,e='ok',**kw): return step('Execute',{'address':a},e,kw)
def av(kind,at): return {'fault':'STATUS_ACCESS_VIOLATION','access':kind,'at':at}
def gp(kind,at): return {'fault':'STATUS_GUARD_PAGE_VIOLATION','access':kind,'at':at}
def GW(a,n,e,flags=None,capacity=64,null=None,**kw):
    if isinstance(e,list): e={'pages':e}
    return step('GetWriteWatch',{'address':a,'size':num(n),**({'flags':flags} if flags is not None else {}),'capacity':capacity,**({'null':null} if null else {})},e,kw)
def RWt(a,n,e='ok',**kw): return step('ResetWriteWatch',{'address':a,'size':num(n)},e,kw)
RESETF='WRITE_WATCH_FLAG_RESET'
def case(name,keep=None):
    steps=json.load(open(f'{CASES}/{name}.json'))['steps']
    USED.add(name)
    out=[];i=0
    while i<len(steps):
        s=steps[i]
        if (s['call']=='VirtualAlloc' and s['type']=='MEM_RESERVE' and s['protect']=='PAGE_NOACCESS' and s['address'] is None and i+1<len(steps) and steps[i+1]['call']=='VirtualFree' and steps[i+1]['type']=='MEM_RELEASE' and steps[i+1]['address']==s.get('bind')):
            out.append({'call':'Hole','size':s['size'],'bind':s['bind']}); i+=2; continue
        out.append(s); i+=1
    return out
USED=set(); FILES={}
def auto(steps):
    n=set()
    for s in steps:
        c=s['call']; e=s.get('expect'); js=json.dumps(s)
        if c in('Read','Write','Execute'): n.add('contents')
        if isinstance(e,dict) and 'fault' in e: n.add('faults')
        if c=='Execute': n.add('execute')
        if c in('VirtualQuery','Walk'): n.add('query')
        if s.get('buffer') or s.get('old') or s.get('null') or ('length' in s and int(str(s['length']),0)<48): n.add('buffers')
        if c in('GetWriteWatch','ResetWriteWatch'): n.add('write-watch')
        if c=='VirtualAlloc':
            t=s['type']
            if 'WRITE_WATCH' in t: n.add('write-watch')
            if 'RESET' in t: n.add('reset')
            if 'TOP_DOWN' in t: n.add('top-down')
        if c in('VirtualAlloc','VirtualProtect'):
            p=s['protect']
            if 'GUARD' in p: n.add('guard-pages')
            if 'NOCACHE' in p or 'COMBINE' in p: n.add('nocache')
        if c in('CreateMalloc','Alloc','DebugAlloc','Free'): n.add('malloc')
        if c=='GetMemoryLoad': n.add('memory-load')
        if c=='SetMemoryLoad': n.add('memory-load-control')
        if c.startswith('Register') or (isinstance(e,dict) and 'notified' in e): n.add('notifications')
        if c.endswith('VirtualAddressSpace'): n.add('address-space-notices')
    return n
def file(path,about,rules,source,steps,level=None,drop=(),add=(),machine=None):
    rules=rules.split() if isinstance(rules,str) else rules
    for r in rules: assert r in LEVELS,(path,r)
    rank={'must':0,'should':1,'may':2}
    if level is None: level=max((LEVELS[r] for r in rules),key=lambda l:rank[l]) if rules else 'must'
    needs=(auto(steps)-set(drop))|set(add)
    d={'format':'hostmem/1','about':about,'rules':rules,'level':level,'source':source}
    if needs: d['needs']=[x for x in ORDER if x in needs]
    if machine: d['machine']=machine
    d['steps']=steps
    assert path not in FILES,path
    FILES[path]=d
def flush():
    shutil.rmtree(OUT,ignore_errors=True) if False else None
    for dirpath,_,names in os.walk(OUT):
        for n in names:
            if n.endswith('.json'): os.remove(os.path.join(dirpath,n))
    for path,d in FILES.items():
        f=f'{OUT}/{path}.json'; os.makedirs(os.path.dirname(f),exist_ok=True)
        json.dump(d,open(f,'w'))
    missing=set(x[:-5] for x in os.listdir(CASES) if x.endswith('.json'))-USED
    print(len(FILES),'files; cases not taken:',sorted(missing))
WINE='Wine 8.0 kernel32 tests, virtual.c, '
NTW='Wine 8.0 ntdll tests, virtual.c, '
RT='ReactOS ntdll tests, '
RI='ReactOS kernel, '
