"""Effects at REVER, each done once: the protocol, and what each kind of effect sends."""
