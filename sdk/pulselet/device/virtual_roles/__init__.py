"""What a virtual device can be: a board of the Pulselet profile, a chest strap, an oximeter."""
