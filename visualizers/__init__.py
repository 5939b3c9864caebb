"""Views of a network: each file is one pure function from a subject and settings to a Plotly figure.

>>> from layerscope.visualizers import registered
>>> list(registered())[:3]
['prediction', 'filters', 'feature_maps']
"""

from .contract import Condition, Frame, Need, NoSettings, Pass, Subject, Visualizer, VisualizerError, visualizer
from .controls import Control, Help, Range, SettingError, build_settings, controls_of
from .plugins import Problem
from .registry import problems, register, registered
from .selection import Selected, selection_of

__all__ = [
    "Condition",
    "Control",
    "Frame",
    "Help",
    "Need",
    "NoSettings",
    "Pass",
    "Problem",
    "Range",
    "Selected",
    "SettingError",
    "Subject",
    "Visualizer",
    "VisualizerError",
    "build_settings",
    "controls_of",
    "problems",
    "register",
    "registered",
    "selection_of",
    "visualizer",
]
