"""What the clients do when the network, the server or the machine fails."""
