"""Learning from transitions: plain torch, and no word of what is learned."""
