"""Units as people write them."""

from __future__ import annotations

import numpy as np
import pytest

from airshed.data.ratios import Ratio, dry_air_density, ratio_of
from airshed.data.units import linear_conversion

CELSIUS, SAME = (1.0, 273.15), (1.0, 0.0)


@pytest.mark.parametrize(
    ("units", "canonical", "expected"),
    [
        *[(text, "K", CELSIUS) for text in ("Celsius", "°C", "\u2103", "degC", "deg C", "C")],
        *[(text, "K", CELSIUS) for text in ("degrees Celsius", "deg_C", "摄氏度")],
        *[(text, "K", CELSIUS) for text in ("\u00baC", "° C", "degrees_C", "Degree C", "deg. C")],
        *[(text, "K", SAME) for text in ("K", "Kelvin", "kelvin", "degK", "degree K", "°K")],
        *[(text, "Pa", (100.0, 0.0)) for text in ("mb", "mbar", "hPa", "millibars", "百帕")],
        *[(text, "Pa", SAME) for text in ("Pa", "Pascal")],
        *[
            (text, "ug m-3", SAME)
            for text in (
                *("ug m-3", "ug/m3", "ugm-3", "ug m**-3", "ug m^-3", "ug/m^3", "UG/M3", "ug / m3"),
                *("\u00b5g/m³", "\u03bcg/m³", "µg m-3", "μg·m-3", "mcg/m3"),
                *("micrograms per cubic meter", "Micrograms per cubic metre", "micrograms/m3"),
                *("ug m\u22123", "ug m\u207b\u00b3", "ug/\u33a5", "\u03bcg\uff0fm3"),
                *("微克/立方米", "微克每立方米"),
            )
        ],
        *[(text, "mg m-3", SAME) for text in ("mg m-3", "毫克/立方米", "mgm-3", "MG/M3")],
        ("kg m**-3", "ug m-3", (1e9, 0.0)),
        *[(text, "m s-1", SAME) for text in ("m s-1", "m s**-1", "m/s", "M/S")],
        *[(text, "degree", SAME) for text in ("DEGREES", "degrees", "deg", "degree")],
        *[(text, "%", (100.0, 0.0)) for text in ("1", "(0 - 1)", "fraction")],
        ("KG/KG", "kg kg-1", SAME),
        ("K" + " " * 15, "K", SAME),
    ],
)
def test_units_are_understood(units: str, canonical: str, expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(linear_conversion(units, canonical), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("units", "canonical"),
    [
        *[(text, "%") for text in ("kg kg-1", "g/kg", "ppm", "mol mol-1")],
        *[(text, "ug m-3") for text in ("ppb", "kg kg-1", "K", "ug m-2", "ug")],
        *[("mb", "m"), ("C", "Pa"), ("foo", "K"), ("mm", "Pa")],
        *[("degrees m s-1", "m s-1"), ("celsius degree", "K"), ("% ug m-3", "ug m-3")],
    ],
)
def test_what_measures_something_else_is_refused(units: str, canonical: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        linear_conversion(units, canonical)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        *[(text, Ratio(1.0, molar=False)) for text in ("kg kg**-1", "kg kg-1", "kg/kg", "g g-1")],
        *[(text, Ratio(1e-9, molar=False)) for text in ("ug/kg-dryair", "ug kg^-1", "µg/kg")],
        *[(text, Ratio(1e-9, molar=True)) for text in ("ppb", "ppbv", "nmol mol-1", "nmol/mol")],
        *[(text, Ratio(1e-9, molar=True)) for text in ("PPB", "Parts per billion")],
        ("parts per million", Ratio(1e-6, molar=True)),
        *[(text, Ratio(1e-6, molar=True)) for text in ("ppm", "ppmv", "ppmV            ")],
        *[(text, Ratio(1.0, molar=True)) for text in ("mol mol-1", "mol mol-1 dry")],
        *[(text, None) for text in ("1", "", "%", "ug m-3", "kg m-3", "m s-1", "kg kg", "mol")],
    ],
)
def test_mixing_ratios_are_told_by_their_units(units: str, expected: Ratio | None) -> None:
    found = ratio_of(units)
    assert (found is None) == (expected is None)
    if found and expected:
        np.testing.assert_allclose(found.factor, expected.factor, rtol=1e-12)
        assert found.molar == expected.molar


def test_a_ppb_of_ozone_at_25_degrees_is_1_96_ug() -> None:
    """As tables of air quality have it: 1 ppb = 1.96 ug m-3 at 25 degrees Celsius, 1013.25 hPa."""
    density = dry_air_density(np.array(101_325.0), np.array(298.15))
    found = Ratio(1e-9, molar=True).concentration(np.array(1.0), density, 47.9982)
    np.testing.assert_allclose(found * 1e9, 1.96, atol=0.005)
