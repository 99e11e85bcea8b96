"""What an adapter author tests with: the simulator base."""
