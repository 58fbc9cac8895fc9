"""The heart: who may do what, from where, how often. Pure rules without I/O, framework or clock."""
