"""What people look at: figures of a result, and the page about one result or many."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "figures": ["endmember_figure", "maps_figure", "save_figure", "summary_figure"],
        "html_report": ["write_report"],
        "rank_curves": ["rank_figure", "save_rank_figure"],
    },
)
