"""Pages and panels composed of visualizers: the only place that knows Dash."""
