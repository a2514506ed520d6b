from dsl import *
M3='Win32 Memory Protection Constants'
file('protect/malformed-protection-wins-over-a-free-address','A malformed protection is reported before the address is looked at','VP-01',RI+'VirtualProtect',case('protect-free-with-invalid-prot')+[P(a,0x1000,p,87) for a in ('h',None,'0x7fffffff0000') for p in (3,0x30,0x14)],level='should')
file('protect/malformed-protection-wins-over-the-state','A malformed protection is reported before the state of the pages is looked at','VP-01',WINE+'test_VirtualAlloc; '+RI+'VirtualProtect',case('protect-reserved-with-invalid-prot')[:-1]+[P('p',0x2000,0,87),P('p',0,0,87),rel()],level='should')
file('protect/malformed-protection-changes-nothing','A malformed protection is refused and every page keeps its own','VP-01 SM-04',WINE+'test_VirtualAlloc',[A(None,0x2000,'RC','RO',bind='p')]+[P('p',0x1000,p,87) for p in (0,3,6,7,0x30,0x60,0x12,0xff)]+[Q('p',com('p','p','RO',0x2000)),rel()])
def table(values,good):
    out=[A(None,0x1000,'RC','RO',bind='p')]
    cur='RO'
    for v in values:
        if v in good:
            v={1:'NA',2:'RO',4:'RW',0x10:'X',0x20:'XR',0x40:'XRW'}[v]
            out+=[P('p',0x1000,v,cur),Q('p',com('p','p','RO',0x1000,v))]; cur=v
        else: out.append(P('p',0x1000,v,87))
    return out+[Q('p',com('p','p','RO',0x1000,cur)),rel()]
file('protect/table-of-the-low-protection-nibble','Of the sixteen values of the low nibble only NOACCESS, READONLY and READWRITE are protections of private memory','VP-01 VP-11 VP-10',WINE+'test_VirtualProtect',table(range(16),{1,2,4}))
file('protect/table-of-the-high-protection-nibble','Of the fifteen values of the high nibble only EXECUTE, EXECUTE_READ and EXECUTE_READWRITE are protections of private memory','VP-01 VP-11 VP-10',WINE+'test_VirtualProtect',table(range(0x10,0x100,0x10),{0x10,0x20,0x40}))
file('protect/table-of-mixed-protection-nibbles','A base value from each nibble together is no protection','VP-01',WINE+'test_VirtualProtect',table([l|h for l in (1,2,4,8) for h in (0x10,0x20,0x40,0x80)],set()))
base=['NA','RO','RW','X','XR','XRW']
def matrix(rows):
    st=[]
    for i,a in enumerate(rows):
        st.append(A(None,0x3000,'RC',a,bind=f'p{i}'))
        for b in base:
            st+=[P(f'p{i}+0x1000',0x1000,b,a),Q(f'p{i}+0x1000',com(f'p{i}+0x1000',f'p{i}',a,0x2000 if a==b else 0x1000,b)),P(f'p{i}+0x1000',0x1000,a,b)]
        st+=[Q(f'p{i}',com(f'p{i}',f'p{i}',a,0x3000)),rel(f'p{i}')]
    return st
file('protect/every-data-protection-can-become-every-other','Memory committed without execution can be given every lawful protection and gets its own back','VP-10 VP-09 VQ-05',WINE+'test_VirtualProtect',matrix(['NA','RO','RW']))
file('protect/every-executable-protection-can-become-every-other','Memory committed with an executable protection can be given every lawful protection and gets its own back','VP-10 VP-09 VQ-05',WINE+'test_VirtualProtect',matrix(['X','XR','XRW']))
file('protect/guard-or-nocache-on-noaccess-is-refused','PAGE_GUARD and PAGE_NOCACHE cannot go with PAGE_NOACCESS','VP-05b',M3+', PAGE_GUARD, PAGE_NOCACHE',[A(None,0x1000,'RC','RW',bind='p'),P('p',0x1000,'NA|G',87),P('p',0x1000,'NA|N',87),Q('p',com('p','p','RW',0x1000)),rel()])
file('protect/modifiers-exclude-each-other-and-need-a-base','PAGE_GUARD, PAGE_NOCACHE and PAGE_WRITECOMBINE exclude each other and PAGE_NOACCESS, and none of them stands alone','VP-05b PR-02',M3+'; '+RI+'MiMakeProtectionMask',
 case('protect-modifier-combos-virtualprotect')[:-1]+[P('p',0x1000,p,87) for p in ('NA|W','RW|G|W','RO|N|W','W','G|N','XR|G|N|W')]+[Q('p',com('p','p','RW',0x1000)),rel()],level='should')
file('protect/nocache-cannot-be-added-or-taken','VirtualProtect with PAGE_NOCACHE succeeds and leaves plain memory plain, and without it leaves uncached memory uncached','PR-05 VP-10',WINE+'test_VirtualAlloc (recent Windows)',
 [A(None,0x2000,'RC','RW',bind='p'),P('p',0x1000,'RW|N','RW'),Q('p',com('p','p','RW',0x2000)),P('p',0x1000,'RO|N','RW'),P('p',0x1000,'RW','RO'),A(None,0x2000,'RC','RW|N',bind='q'),P('q',0x1000,'RO|N','RW|N'),P('q',0x1000,'RW','RO|N'),Q('q',com('q','q','RW|N',0x2000)),rel('p'),rel('q')])
file('protect/null-old-pointer-is-refused','A null pointer for the old protection is refused and the protection stays','VP-02 SM-04',WINE+'test_VirtualProtect',[A(None,0x1000,'RC','RW',bind='p'),P('p',0x1000,'RO',998,old='null'),P('p',0x1000,'RW',998,old='null'),Q('p',com('p','p','RW',0x1000)),P('p',0x1000,'RO','RW'),rel()])
file('protect/malformed-protection-wins-over-a-null-old-pointer','A malformed protection is reported before the null pointer','VP-01 VP-02',RI+'VirtualProtect',case('protect-null-old-and-invalid-prot')[:-1]+[P('p',0x1000,3,87,old='null'),P('p',0x1000,'RO',998,old='null'),rel()],level='should')
file('protect/null-old-pointer-wins-over-a-wrong-address','A null pointer for the old protection is reported before the address is looked at','VP-03',RI+'NtProtectVirtualMemory',case('protect-null-old-and-free-address')+[P(None,0x1000,'RO',998,old='null'),A(None,0x1000,'R','RW',bind='p'),P('p',0x1000,'RO',998,old='null'),P('p',0x10000,'RO',998,old='null'),rel()])
file('protect/ranges-that-leave-user-space-are-refused','A range that leaves user space or wraps around is refused and changes nothing','VP-04 SM-04',RI+'NtProtectVirtualMemory',case('protect-size-overflow')[:-1]+[P('p','0x7fffffff0000','RO',87),P('0x7fffffff0000',1,'RO',87),P('0x800000000000',0x1000,'RO',87),P('0xffff800000000000',0x1000,'RO',87),rel()])
file('protect/size-zero-is-refused','A size of zero is refused, at an aligned address and at any other','VP-05 SM-04',RI+'NtProtectVirtualMemory; a report from Windows for an aligned address',[A(None,0x2000,'RC','RW',bind='p'),P('p',0,'RO',87),P('p+0x1000',0,'RO',87),P('p+0x10',0,'RO',87),Q('p',com('p','p','RW',0x2000)),rel()])
file('protect/size-zero-wins-over-a-free-address','A size of zero is reported rather than that nothing is allocated there','VP-05',RI+'NtProtectVirtualMemory',[Hole(0x10000),P('h',0,'RO',87),P(None,0,'RO',87)],level='should')
file('protect/free-memory-is-refused','Memory in no allocation cannot be protected','VP-06',RI+'NtProtectVirtualMemory',case('protect-address-zero')+[P('0x1000',0x1000,'RO',487),A(None,0x1000,'RC','RW',bind='p'),P('p+0x1000',0x1000,'RO',487),P('p+0xf000',1,'RO',487),rel(),P('p',0x1000,'RO',487),Hole(0x10000),P('h',0x10000,'XR',487)])
file('protect/range-past-the-end-is-refused','A range that runs past the end of its allocation is refused and changes nothing','VP-07 SM-04','Win32 VirtualProtect, lpAddress; '+RI+'NtProtectVirtualMemory',case('protect-beyond-end')[:-1]+[P('p',0x2001,'RO',487),P('p+0x1fff',2,'RO',487),P('p',0x100000,'RO',487),Q('p',com('p','p','RW',0x2000)),rel()])
file('protect/range-into-a-neighbour-is-refused','A range that runs from one allocation into the next is refused, however equal the two are','VP-07 SM-03 SM-04','Win32 VirtualProtect, lpAddress',
 [Hole(0x20000),A('h',0x10000,'RC','RW','at'),A('h+0x10000',0x10000,'RC','RW','at'),P('h+0xf000',0x2000,'RO',487),P('h',0x20000,'RO',487),P('h+0xffff',2,'RO',487),Q('h',com('h','h','RW',0x10000)),Q('h+0x10000',com('h+0x10000','h+0x10000','RW',0x10000)),rel('h'),rel('h+0x10000')])
file('protect/copy-on-write-is-refused','PAGE_WRITECOPY and PAGE_EXECUTE_WRITECOPY are refused on private memory','VP-11 PR-03 SM-04',WINE+'test_VirtualProtect',[A(None,0x1000,'RC','RW',bind='p'),P('p',0x1000,'WC',87),P('p',0x1000,'XWC',87),Q('p',com('p','p','RW',0x1000)),rel()])
file('protect/copy-on-write-is-checked-between-range-and-pages','A copy-on-write protection loses to a wrong range and wins over a page that is not committed','VP-11 VP-06 VP-07',RI+'NtProtectVirtualMemory',case('protect-reserved-writecopy')[:-1]+[P('p',0x1000,'XWC',87),P('p',0x2000,'WC',487),rel(),Hole(0x10000),P('h',0x1000,'WC',487),P('h',0x1000,'XWC',487)])
file('protect/uncommitted-page-refuses-the-whole-range','A range with a page that is not committed is refused and no page of it changes','VP-08 SM-04',WINE+'test_VirtualAlloc; Win32 VirtualProtect',case('protect-mixed-reserved-atomic')[:-1]+[P('p+0xfff',2,'RO',487),P('p+0x1fff',2,'RO',487),Q('p+0x2000',com('p+0x2000','p','RW',0x1000)),dec('p',0),P('p',1,'RO',487),rel()])
file('protect/two-bytes-across-a-boundary-change-both-pages','A change of two bytes that straddle a page boundary changes both pages','VP-09 SM-05','Win32 VirtualProtect, dwSize',case('protect-straddle-two-bytes'))
file('protect/touched-pages-change-and-no-others','A change of protection reaches exactly the touched pages','VP-09 SM-02 SM-05','Win32 VirtualProtect, dwSize',
 [A(None,0x6000,'RC','RW',bind='p'),P('p+0x1fff',1,'RO','RW'),P('p+0x3001',0x1000,'X','RW'),Q('p',com('p','p','RW',0x1000)),Q('p+0x1000',com('p+0x1000','p','RW',0x1000,'RO')),Q('p+0x2000',com('p+0x2000','p','RW',0x1000)),Q('p+0x3000',com('p+0x3000','p','RW',0x2000,'X')),Q('p+0x5000',com('p+0x5000','p','RW',0x1000)),P('p',0x6000,'NA','RW'),Q('p',com('p','p','RW',0x6000,'NA')),rel()])
file('protect/old-protection-is-that-of-the-first-page','The old protection is the one of the first touched page, whatever the others have','VP-10',WINE+'test_VirtualAlloc; Win32 VirtualProtect, lpflOldProtect',
 [A(None,0x3000,'RC','RW',bind='p'),P('p+0x1000',0x1000,'RO','RW'),P('p+0x2000',0x1000,'XR','RW'),P('p+0x1800',0x1000,'NA','RO'),P('p',0x3000,'X','RW'),P('p',0x3000,'X','X'),rel()])
file('protect/no-access-hides-and-does-not-discard','PAGE_NOACCESS hides contents and does not discard them','VP-12 ZF-02',RT+'NtAllocateVirtualMemory, TestReadWrite',case('noaccess-keeps-content'))
st=[A(None,0x1000,'RC','RW',bind='p'),Fill('p',0x1000,0xc3)]
cur='RW'
for p in ('RO','NA','X','NA','XR','XRW','RW'):
    st.append(P('p',0x1000,p,cur)); cur=p
    if p!='NA': st.append(R('p',0x1000,0xc3))
file('protect/contents-survive-every-protection','Contents are the same after any chain of protections','VP-12 ZF-02',RT+'NtAllocateVirtualMemory, TestReadWrite',st+[rel()])
file('protect/allocation-protection-stays','A change of protection leaves AllocationProtect and the marks of write watch alone','VP-13 VA-25',WINE+'test_VirtualProtect, test_write_watch',
 [A(None,0x2000,'RCW','RW',bind='p'),W('p+0x1000','01'),P('p',0x2000,'RO','RW'),Q('p',com('p','p','RW',0x2000,'RO')),GW('p',0x2000,['p+0x1000']),P('p',0x2000,'RW','RO'),GW('p',0x2000,['p+0x1000']),rel()])
file('protect/order-of-complaints','A malformed protection is reported first, then the null pointer, the range, the size, the free address, the end, and the uncommitted page','VP-01 VP-03 VP-04 VP-05 VP-06 VP-07 VP-08',RI+'NtProtectVirtualMemory',
 [A(None,0x2000,'R','RW',bind='p'),P('p','0xffffffffffffffff',0,87,old='null'),P('p','0xffffffffffffffff','RO',998,old='null'),P('p','0xffffffffffffffff','RO',87),P('p+0x2000',0,'RO',87),P('p+0x2000',1,'RO',487),P('p',0x3000,'RO',487),P('p',0x2000,'RO',487),rel()])
