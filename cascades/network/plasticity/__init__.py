"""Mechanisms of plasticity beside the calcium rule, one file each."""
