"""One control for each option, built from the fields of `Options`; together they form the folded part of the panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from ..errors import OptionError
from ..options import Options

AUTOMATIC = "automatic"
_WIDEST = 1e12
_DECIMALS = 12
_LABELS = {"od_base": "OD base", "refinement": "refinement", "extra_anchors": "extra anchors"}


class OptionsForm(QWidget):
    """The options of one door as a form; says which of them differ from their defaults.

    Parameters
    ----------
    without : tuple of str
        Options that have a place of their own elsewhere.
    """

    def __init__(self, without: tuple[str, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._knobs = {knob.name: Knob(knob, self) for knob in fields(Options) if knob.name not in without}
        self._shown = self._knobs
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, knob in sorted(self._knobs.items(), key=lambda item: item[1].advanced):
            label = QLabel(knob.label)
            label.setToolTip(knob.help)
            self._layout.addRow(label, knob.control)
            knob.control.setObjectName(name)

    def show_door(self, door: str, quantity: str) -> None:
        """Show only the options of one door, ``run`` or ``stains``, that mean something for what the numbers are."""
        self._shown = {
            name: knob for name, knob in self._knobs.items() if door in knob.doors and quantity in knob.quantities
        }
        for name, knob in self._knobs.items():
            self._layout.setRowVisible(knob.control, name in self._shown)

    def values(self) -> dict[str, Any]:
        """Return what every control holds.

        Raises
        ------
        OptionError
            A text is not what the option needs.
        """
        return {name: knob.value() for name, knob in self._knobs.items()}

    def changed(self) -> dict[str, Any]:
        """Return the options shown that differ from their defaults, checked."""
        values = {name: knob.value() for name, knob in self._shown.items()}
        Options.from_keywords(values)
        return {name: value for name, value in values.items() if value != self._shown[name].default}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set controls to what is given; those that are not named keep what they hold."""
        for name, value in values.items():
            if name in self._knobs:
                self._knobs[name].set_value(value)

    def restore_defaults(self) -> None:
        """Set every control back to its default."""
        for knob in self._knobs.values():
            knob.set_value(knob.default)


class Knob:
    """One option and its control."""

    def __init__(self, option: Field[Any], parent: QWidget) -> None:
        about = option.metadata
        self.name, self.default = option.name, option.default
        self.doors, self.quantities = about["doors"], about["quantities"]
        self.help, self.advanced = _wrapped(about["help"]), about["advanced"]
        unit = f" [{about['unit']}]" if about["unit"] else ""
        self.label = _LABELS.get(self.name, self.name.replace("_", " ")) + unit
        self.control, self.value, self.set_value = _control(option, parent)
        self.control.setToolTip(self.help)
        self.control.setMinimumWidth(90)
        self.control.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        ignore_wheel(self.control)
        self.set_value(self.default)


class NumberBox(QDoubleSpinBox):
    """A number shown with as many digits as it has, so that no small one turns into zero."""

    def __init__(self, low: float | None, high: float | None, parent: QWidget) -> None:
        super().__init__(parent)
        self.setDecimals(_DECIMALS)
        self.setRange(-_WIDEST if low is None else low, _WIDEST if high is None else high)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)

    def textFromValue(self, value: float) -> str:  # noqa: N802 (Qt's name)
        return f"{value:.10g}"


def ignore_wheel(control: QWidget) -> None:
    """Keep the mouse wheel from changing a control that is only being scrolled past."""
    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    control.installEventFilter(_WheelFilter(control))


class _WheelFilter(QObject):
    """Turns away wheel events of a control without focus."""

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802 (Qt's name)
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False


Control = tuple[QWidget, Callable[[], Any], Callable[[Any], None]]


def _control(option: Field[Any], parent: QWidget) -> Control:
    """Return the control of an option, how to read it and how to set it."""
    about = option.metadata
    if about["choices"]:
        return _choice(option, parent)
    if option.default is None or about["kind"] is tuple:
        return _text(option, parent)
    low, high = about["low"], about["high"]
    if about["kind"] is int:
        whole = QSpinBox(parent)
        whole.setRange(int(low) if low is not None else -(2**31), int(high) if high is not None else 2**31 - 1)
        whole.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        return whole, whole.value, whole.setValue
    number = NumberBox(low, high, parent)
    return number, number.value, number.setValue


def _choice(option: Field[Any], parent: QWidget) -> Control:
    box = QComboBox(parent)
    for choice in ((None,) if option.default is None else ()) + tuple(option.metadata["choices"]):
        box.addItem(AUTOMATIC if choice is None else str(choice).replace("_", " "), choice)
    return box, box.currentData, lambda value: box.setCurrentIndex(box.findData(value))


def _text(option: Field[Any], parent: QWidget) -> Control:
    """Return a line of text for an option that may be absent, or is a list; empty means the default."""
    line = QLineEdit(parent)
    line.setPlaceholderText(f"e.g. {_EXAMPLES[option.name]}" if option.name in _EXAMPLES else AUTOMATIC)
    line.setClearButtonEnabled(True)

    def value() -> Any:
        text = line.text().strip()
        return _PARSE.get(option.name, _number)(option, text) if text else option.default

    return line, value, lambda given: line.setText(_SHOW.get(option.name, str)(given) if given else "")


def _number(option: Field[Any], text: str) -> float:
    try:
        number = option.metadata["kind"](text)
    except ValueError:
        raise OptionError(f"{_name(option)}: '{text}' is not a number.") from None
    return number


def _numbers(option: Field[Any], text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace(";", ",").split(","))
    except ValueError:
        raise OptionError(
            f"{_name(option)}: '{text}' is not a list of numbers such as {_EXAMPLES[option.name]}."
        ) from None


def _range(option: Field[Any], text: str) -> tuple[float, float]:
    low, dash, high = text.replace("–", "-").partition("-")
    try:
        return float(low), float(high if dash else "")
    except ValueError:
        raise OptionError(f"{_name(option)}: '{text}' is not a range in nm such as 400-2450.") from None


def _ranges(option: Field[Any], text: str) -> tuple[tuple[float, float], ...]:
    return tuple(_range(option, part) for part in text.replace(";", ",").split(","))


def _name(option: Field[Any]) -> str:
    return option.name.replace("_", " ")


def _show_range(value: tuple[float, float]) -> str:
    return f"{value[0]:g}-{value[1]:g}"


_EXAMPLES = {"bands": "400-2450", "exclude": "1340-1450", "white_point": "243, 241, 245", "background": "100"}
_PARSE: dict[str, Callable[[Field[Any], str], Any]] = {
    "bands": _range, "exclude": _ranges, "white_point": _numbers, "background": _numbers,
}  # fmt: skip
_SHOW: dict[str, Callable[[Any], str]] = {
    "bands": _show_range,
    "exclude": lambda ranges: ", ".join(_show_range(one) for one in ranges),
    "white_point": lambda values: ", ".join(f"{value:g}" for value in values),
    "background": lambda values: ", ".join(f"{value:g}" for value in values),
}


def _wrapped(text: str) -> str:
    """Return a tooltip that Qt wraps, which it does only with rich text."""
    return f"<qt>{text}</qt>"
