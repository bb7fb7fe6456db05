"""Wire to samples: transports, framing, device decoders, timeline and the virtual patch."""
