"""Whether the machine that will train can: one short job, a line for each thing that it needs."""
