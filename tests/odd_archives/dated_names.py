"""File names with dates in the spelling of agencies, made from their expected times."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np

from tests.odd_archives.files import NUMBERS, Maker, write_tif

Step = tuple[datetime, datetime]
"""Start and end of a file's period; an instant ends at its start."""
Spell = Callable[[Step, Random], str]

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _month(at: datetime, shift: int = 0) -> datetime:
    number = at.year * 12 + at.month - 1 + shift
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _parts(at: datetime, days: int) -> list[Step]:
    """Return the dekads, pentads or halves of a month; the last one ends with it."""
    first, last = _month(at), _month(at, 1)
    starts = [first + number * days * DAY for number in range(30 // days)]
    return list(zip(starts, [*starts[1:], last], strict=True))


def _months(at: datetime, length: int, count: int) -> list[Step]:
    first = datetime(at.year, 1, 1, tzinfo=UTC) if length > 1 else _month(at)
    return [(_month(first, length * n), _month(first, length * (n + 1))) for n in range(count)]


def _instants(at: datetime, random: Random) -> list[Step]:
    """Three acquisitions on different days."""
    days = sorted(random.sample(range(60), 3))
    found = [at + day * DAY + timedelta(seconds=random.randrange(1, 86_399)) for day in days]
    return [(each, each) for each in found]


def _spans(at: datetime, days: int, count: int = 3) -> list[Step]:
    return [(at + n * days * DAY, at + (n + 1) * days * DAY) for n in range(count)]


def _hours(at: datetime, hours: int) -> list[Step]:
    return [(at + timedelta(hours=n), at + timedelta(hours=n)) for n in range(hours, 24, hours)]


STEPS: Mapping[str, Callable[[datetime, Random], list[Step]]] = {
    "day": lambda at, _random: _spans(at, 1),
    "8 days": lambda at, _random: _spans(datetime(at.year, 1, 1, tzinfo=UTC), 8),
    "week": lambda at, _random: _spans(datetime(at.year, 1, 1, tzinfo=UTC), 7, 5),
    "10 days": lambda at, _random: _spans(at, 10),
    "month": lambda at, _random: _months(at, 1, 3),
    "half year": lambda at, _random: _months(at, 6, 2),
    "year": lambda at, _random: _months(at, 12, 2),
    "two years": lambda at, _random: _months(at, 24, 2),
    "dekad": lambda at, _random: _parts(at, 10),
    "pentad": lambda at, _random: _parts(at, 5),
    "half month": lambda at, _random: _parts(at, 15),
    "instant": _instants,
    "3 hours": lambda at, _random: _hours(at, 3),
    "6 hours": lambda at, _random: _hours(at, 6),
    "half hour": lambda at, _random: [(at + n * timedelta(minutes=30),) * 2 for n in (1, 2, 5)],
}


@dataclass(frozen=True)
class Family:
    """Names of one product."""

    steps: str
    spell: Spell


def _last(step: Step) -> datetime:
    return step[1] - DAY


def _later(step: Step, random: Random) -> datetime:
    """When a product was made."""
    return step[1] + timedelta(days=random.randrange(3, 2000), seconds=random.randrange(86_400))


def _hex(random: Random, digits: int) -> str:
    return "".join(random.choice("0123456789ABCDEF") for _ in range(digits - 1)) + random.choice("0123456789")


def _number(step: Step, days: int) -> int:
    return min((step[0].day - 1) // days, 30 // days - 1) + 1


def _f(steps: str, text: str, **more: Callable[[Step, Random], object]) -> Family:
    """Return a family by a format of `s` (start), `l` (last day), `e` (end), `p` (production) and other parts."""

    def spell(step: Step, random: Random) -> str:
        parts = {name: make(step, random) for name, make in more.items()}
        return text.format(s=step[0], e=step[1], l=_last(step), p=_later(step, random), **parts)

    return Family(steps, spell)


FAMILIES: Mapping[str, Family] = {
    "CHIRPS dekads": _f("dekad", "chirps-v3.0.{s:%Y.%m}.{n}", n=lambda s, _r: _number(s, 10)),
    "CHIRPS pentads": _f("pentad", "chirps-v2.0.{s:%Y.%m}.{n}", n=lambda s, _r: _number(s, 5)),
    "CHIRPS days": _f("day", "chirps-v2.0.{s:%Y.%m.%d}"),
    "CHIRPS months": _f("month", "chirps-v2.0.{s:%Y.%m}"),
    "CHIRPS years": _f("year", "chirps-v2.0.{s:%Y}"),
    "dekads by number": _f("dekad", "fapar_{s:%Y%m}_{n}", n=lambda s, _r: _number(s, 10)),
    "pentads by number": _f("pentad", "rain-{s:%Y-%m}-{n}", n=lambda s, _r: _number(s, 5)),
    "halves by letter": _f("half month", "ndvi_{s:%Y%m}{n}", n=lambda s, _r: "ab"[_number(s, 15) - 1]),
    "GIMMS halves": _f(
        "half month",
        "geo{s:%y}{m}15{n}.n07-VI3g",
        m=lambda s, _r: MONTHS[s[0].month - 1],
        n=lambda s, _r: "ab"[_number(s, 15) - 1],
    ),
    "GIMMS half years": _f("half year", "ndvi3g_geo_v1_2_{s:%Y}_{s:%m}{l:%m}"),
    "GIMMS half years of NetCDF": _f("half year", "ndvi3g_geo_v1_1_{s:%Y}_{s:%m}{l:%m}.nc4"),
    "GIMMS halves of NetCDF": _f(
        "half month",
        "geo{s:%y}{m}15{n}.n19-VI3g.nc4",
        m=lambda s, _r: MONTHS[s[0].month - 1],
        n=lambda s, _r: "ab"[_number(s, 15) - 1],
    ),
    "TAMSAT dekads": _f("dekad", "rfe{s:%Y_%m}-dk{n}.v3.1", n=lambda s, _r: _number(s, 10)),
    "TAMSAT pentads": _f("pentad", "rfe{s:%Y_%m}-pt{n}.v3.1", n=lambda s, _r: _number(s, 5)),
    "weeks of VHP": _f("week", "VHP.G04.C07.npp.P{s:%Y}{n:03}.VH", n=lambda s, _r: s[0].timetuple().tm_yday // 7 + 1),
    "AppEEARS with time of day": _f("instant", "ECO2LSTE.001_SDS_LST_doy{s:%Y%j%H%M%S}_aid0001"),
    "HLS": _f("instant", "HLS.{sensor}30.T31UFS.{s:%Y%jT%H%M%S}.v2.0.B04", sensor=lambda _s, _r: "S"),
    "Sentinel-1": _f(
        "instant",
        "S1A_IW_GRDH_1SDV_{s:%Y%m%dT%H%M%S}_{z:%Y%m%dT%H%M%S}_{o:06}_{t}_{c}",
        z=lambda s, _r: s[0] + 25 * SECOND,
        o=lambda _s, r: r.randrange(10**6),
        t=lambda _s, r: _hex(r, 6),
        c=lambda _s, r: _hex(r, 4),
    ),
    "Sentinel-2": _f(
        "instant",
        "S2{m}_MSIL2A_{s:%Y%m%dT%H%M%S}_N0{b}_R{o:03}_T31UFS_{p:%Y%m%dT%H%M%S}",
        m=lambda s, _r: "AB"[s[0].day % 2],
        b=lambda _s, r: r.choice((214, 400, 500)),
        o=lambda _s, r: r.randrange(1, 144),
    ),
    "Sentinel-3": _f(
        "instant",
        "S3A_OL_2_LFR____{s:%Y%m%dT%H%M%S}_{z:%Y%m%dT%H%M%S}_{p:%Y%m%dT%H%M%S}_0179_{c:03}_{o:03}_1980_{w}_O_NT_002",
        z=lambda s, _r: s[0] + 180 * SECOND,
        c=lambda _s, r: r.randrange(1, 120),
        o=lambda _s, r: r.randrange(1, 386),
        w=lambda _s, r: r.choice(("LN1", "MAR", "LN2")),
    ),
    "Sentinel-5P": _f(
        "instant",
        "S5P_OFFL_L2__NO2____{s:%Y%m%dT%H%M%S}_{z:%Y%m%dT%H%M%S}_{o}_01_010302_{p:%Y%m%dT%H%M%S}",
        z=lambda s, _r: s[0] + 6000 * SECOND,
        o=lambda _s, r: r.randrange(10_000, 40_000),
    ),
    "Landsat": _f("day", "LC08_L2SP_198024_{s:%Y%m%d}_{p:%Y%m%d}_02_T1_SR_B4"),
    "MODIS": _f("day", "MOD09GA.A{s:%Y%j}.h18v03.061.{p:%Y%j%H%M%S}"),
    "MODIS 8 days": _f("day", "MOD11A2.A{s:%Y%j}.h18v03.061.{p:%Y%j%H%M%S}"),
    "AppEEARS": _f("day", "MOD13Q1.061__250m_16_days_NDVI_doy{s:%Y%j}_aid0001"),
    "ocean colour, old": _f("8 days", "A{s:%Y%j}{l:%Y%j}.L3m_8D_CHL_chlor_a_4km"),
    "ocean colour": _f("8 days", "AQUA_MODIS.{s:%Y%m%d}_{l:%Y%m%d}.L3m.8D.CHL.chlor_a.4km"),
    "AVHRR": _f("day", "AVHRR-Land_v005_AVH13C1_NOAA-07_{s:%Y%m%d}_c{p:%Y%m%d%H%M%S}"),
    "VIIRS CDR": _f("day", "VIIRS-Land_v001_NPP13C1_S-NPP_{s:%Y%m%d}_c{p:%Y%m%d%H%M%S}"),
    "night lights of years": _f("year", "VNL_v21_npp_{s:%Y}_global_vcmslcfg_c{p:%Y%m%d%H%M}.average_masked.dat"),
    "night lights of months": _f(
        "month", "SVDNB_npp_{s:%Y%m%d}-{l:%Y%m%d}_75N060W_vcmcfg_v10_c{p:%Y%m%d%H%M}.avg_rade9h"
    ),
    "GOES": _f(
        "instant",
        "OR_ABI-L2-LSTF-M6_G16_s{s:%Y%j%H%M%S}3_e{z:%Y%j%H%M%S}9_c{z:%Y%j%H%M%S}0",
        z=lambda s, _r: s[0] + 600 * SECOND,
    ),
    "VIIRS swaths": _f("instant", "SVM15_npp_d{s:%Y%m%d}_t{s:%H%M%S}3_e{s:%H%M%S}9_b00001"),
    "CGLS": _f("day", "c_gls_FAPAR300-RT{n}_{s:%Y%m%d}0000_GLOBE_PROBAV_V1.0.1", n=lambda s, _r: s[0].day % 7),
    "HR-VPP years": _f("year", "VPP_{s:%Y}_S2_T31UFS-010m_V101_s1_SOSD"),
    "HR-VPP indices": _f(
        "instant", "VI_{s:%Y%m%dT%H%M%S}_S2{m}_T31UFS-010m_V101_NDVI", m=lambda s, _r: "AB"[s[0].day % 2]
    ),
    "PROBA-V": _f("day", "PROBAV_S1_TOC_X18Y02_{s:%Y%m%d}_300M_NDVI_V101"),
    "SPOT-VGT": _f("day", "V2KRNS10__{s:%Y%m%d}_NDVI__Europe"),
    "land cover of years": _f("year", "landcover_{s:%Y}"),
    "WorldCover": _f("year", "ESA_WorldCover_10m_{s:%Y}_v100_N51E003_Map"),
    "GHSL": _f("year", "GHS_BUILT_S_E{s:%Y}_GLOBE_R2023A_54009_100_V1_0"),
    "WorldPop": _f("year", "bel_ppp_{s:%Y}_UNadj"),
    "C3S land cover": _f("year", "C3S-LC-L4-LCCS-Map-300m-P1Y-{s:%Y}-v2.1.1"),
    "IMERG half hours": _f(
        "half hour",
        "3B-HHR.MS.MRG.3IMERG.{s:%Y%m%d}-S{s:%H%M%S}-E{z:%H%M%S}.{m:04}.V06B",
        z=lambda s, _r: s[0] + 1799 * SECOND,
        m=lambda s, _r: s[0].hour * 60 + s[0].minute,
    ),
    "IMERG days": _f("day", "3B-DAY.MS.MRG.3IMERG.{s:%Y%m%d}-S000000-E235959.V06"),
    "IMERG months": _f("month", "3B-MO.MS.MRG.3IMERG.{s:%Y%m%d}-S000000-E235959.{s:%m}.V06B"),
    "TRMM": _f("3 hours", "3B42.{s:%Y%m%d}.{s:%H}.7"),
    "GLDAS": _f("3 hours", "GLDAS_NOAH025_3H.A{s:%Y%m%d.%H}00.021"),
    "hours without letter": _f("6 hours", "t2m_{s:%Y-%m-%d_%H}"),
    "hours": _f("6 hours", "t2m_{s:%Y%m%d_%H}h"),
    "hours in digits": _f("6 hours", "ecmwf_{s:%Y%m%d%H}"),
    "hours of WRF": _f("6 hours", "wrfout_d01_{s:%Y-%m-%d_%H_%M_%S}"),
    "runs and leads": _f("6 hours", "gfs_{r:%Y%m%d}00_f{n:03}", r=lambda s, _r: s[0], n=lambda s, _r: s[0].hour),
    "ECMWF": _f("6 hours", "{r:%Y%m%d}000000-{n}h-oper-fc", r=lambda s, _r: s[0], n=lambda s, _r: s[0].hour),
    "CMIP": _f("two years", "tas_Amon_MPI_historical_r1i1p1f1_gn_{s:%Y%m}-{l:%Y%m}"),
    "periods": _f("10 days", "lai_{s:%Y%m%d}_{l:%Y%m%d}"),
    "SMOS": _f("10 days", "SM_OPER_MIR_CLF31D_{s:%Y%m%d}T000000_{l:%Y%m%d}T235959_300_004_7"),
    "altimetry": _f("day", "nrt_global_allsat_phy_l4_{s:%Y%m%d}_{z:%Y%m%d}", z=lambda s, _r: s[0] + 6 * DAY),
    "CMEMS": _f("day", "mercatorglorys12v1_gl12_mean_{s:%Y%m%d}_R{p:%Y%m%d}"),
    "H SAF": _f(
        "month", "W_IT-HSAF-ROME,SAT,SSM-ASCAT-H109_C_LIIB_{p:%Y%m%d%H%M%S}_{s:%Y%m%d}000000_{l:%Y%m%d}235959____"
    ),
    "MTG": _f(
        "instant",
        "W_XX-EUMETSAT-Darmstadt,IMG+SAT,MTI1+FCI_C_EUMT_{z:%Y%m%d%H%M%S}_IDPFI_OPE_{s:%Y%m%d%H%M%S}_{z:%Y%m%d%H%M%S}_N__O_0001_0001",
        z=lambda s, _r: s[0] + 558 * SECOND,
    ),
    "ECOSTRESS": _f(
        "instant",
        "ECOv002_L2T_LSTE_{o:05}_{n:03}_35SQD_{s:%Y%m%dT%H%M%S}_0712_01_LST",
        o=lambda _s, r: r.randrange(10**5),
        n=lambda _s, r: r.randrange(40),
    ),
    "Theia": _f(
        "instant", "SENTINEL2A_{s:%Y%m%d-%H%M%S}-{m:03}_L2A_T31UFS_C_V1-0_NDVI", m=lambda _s, r: r.randrange(1000)
    ),
    "SMAP": _f("day", "SMAP_L3_SM_P_E_{s:%Y%m%d}_R16{v}_001", v=lambda _s, r: r.choice((510, 515))),
    "GHRSST": _f("instant", "{s:%Y%m%d%H%M%S}-UKMO-L4_GHRSST-SSTfnd-OSTIA-GLOB-v02.0-fv02.0"),
    "months by name": _f("month", "ndvi_{m}{s:%Y}", m=lambda s, _r: MONTHS[s[0].month - 1].title()),
    "days by name": _f("day", "ndvi_{s:%d}{m}{s:%Y}", m=lambda s, _r: MONTHS[s[0].month - 1].title()),
    "weeks": _f("day", "ndvi_{s:%Y-%m-%d}_weekly"),
    "Himawari": _f("half hour", "NC_H08_{s:%Y%m%d_%H%M}_R21_FLDK.06001_06001"),
    "LSA SAF": _f("half hour", "NETCDF4_LSASAF_MSG_LST_MSG-Disk_{s:%Y%m%d%H%M}"),
    "GPCP": _f("month", "gpcp_v02r03_monthly_d{s:%Y%m}_c{p:%Y%m%d}"),
    "ESA CCI": _f("day", "ESACCI-SOILMOISTURE-L3S-SSMV-COMBINED-{s:%Y%m%d}000000-fv06.1"),
}


@dataclass(frozen=True)
class NamedFiles:
    """Names of one family, with the start and end of each."""

    names: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def starts(self) -> list[str]:
        return [f"{start:%Y-%m-%dT%H:%M:%S}" for start, _end in self.steps]


def named_files(family: str, seed: int) -> NamedFiles:
    """Return random names of a family."""
    random = Random(f"{family} {seed}")
    first = datetime(random.randrange(1982, 2024), random.randrange(1, 13), random.randrange(1, 26), tzinfo=UTC)
    steps = STEPS[FAMILIES[family].steps](first, random)
    return NamedFiles(tuple(FAMILIES[family].spell(step, random) + ".tif" for step in steps), tuple(steps))


def maker_of(family: str, seed: int = 0) -> Maker:
    """Return the maker of a folder of files of a family; their values are 1, 2, … in the order of time."""

    def make(folder: Path) -> Path:
        for number, name in enumerate(named_files(family, seed).names, start=1):
            write_tif(folder / name, np.full_like(NUMBERS, number))
        return folder

    return make


MAKERS: Mapping[str, Maker] = {
    name: maker_of(name) for name in ("CHIRPS dekads", "Sentinel-1", "night lights of years", "runs and leads", "CGLS")
}
