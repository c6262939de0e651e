"""What engines share that ask a server: addresses, clients, and what can go wrong."""
