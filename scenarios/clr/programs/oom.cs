// arrays of 20 MB while memory is short: refused ones must be caught, and the program must go on
using System;
class P { static void Main(string[] a){ int n=a.Length>0?int.Parse(a[0]):60; int caught=0, got=0, after=0;
  for(int i=0;i<n;i++){ try { var b=new byte[20000000]; b[1]=1; got++; if(caught>0) after++; } catch(OutOfMemoryException){ caught++; } }
  Console.WriteLine("oom caught "+(caught>0)+" went on "+(got>0&&after>0)); } }
