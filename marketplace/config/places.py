"""How many requests may wait for a password to be hashed, in each process that serves the API.

Read by gunicorn.conf.py in its master, which must not load what a reload is to load anew: standard
library only.
"""

#: Requests that wait for a hash, or are having one computed: a burst of sign-ins, served in turn.
#: Each holds a thread, which costs some 50 kB; other requests have their threads beside them.
PASSWORDS = 64
#: As many of them may come from one address: many people share one (a carrier, a school), and a
#: flood from one leaves places for as many from another.
OF_ONE_ADDRESS = 32
#: Seconds until a waiting request is told to come again.
PATIENCE = 15.0
