"""A running site looked after: what is removed, who is silent, what a broker or disk would drop."""
