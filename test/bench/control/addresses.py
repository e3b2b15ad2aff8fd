"""Who is where, here and in the lab's guest."""
HOST = "10.99.0.1"      # of the namespace that control/namespace makes: there the API server and the reflector are reached
HERE = "10.0.0.1"       # and there processes of this machine come from
GUEST = "10.99.0.2"     # the guest, at the other end of the tap device
POD = "192.168.99.2"    # the LB pod in it
POOL = "10.1.0.0/16"
SERVERS = "172.16.0.0/12"
