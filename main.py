import sys
sys.path.insert(0,'/tmp/wt/gen')
import dsl
for m in ('alloc','free','protect','query','guard','rest','heap','stories'):
    try: __import__(m)
    except ModuleNotFoundError as e: print(e)
dsl.flush()
