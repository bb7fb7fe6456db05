"""Side by side with peers, in one run; figures with the machine that made them."""
