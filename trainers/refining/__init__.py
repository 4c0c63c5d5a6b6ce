"""The two nets that polish a piece: durations that fit, and velocities as somebody would play."""
