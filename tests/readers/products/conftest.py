"""Small granules written to the published layout of each product, by h5py, rasterio and plain text; never by unmix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

ROWS, COLUMNS = 12, 9
NM = np.array([450.0, 550.0, 650.0, 860.0, 1240.0, 1380.0, 1650.0, 1900.0, 2200.0, 2300.0])
WATER = (5, 7)
UTM = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)
LONLAT = Affine(0.0005, 0.0, -118.0, 0.0, -0.0005, 36.0)

Write = Callable[..., Path]


def reflectance(seed: int = 0) -> np.ndarray:
    """Return a scene (y, x, band) of three materials; the pixel (0, 0) is to be empty."""
    rng = np.random.default_rng(seed)
    spectra = 0.1 + 0.5 * rng.random((3, len(NM)))
    return (rng.dirichlet([0.3] * 3, (ROWS, COLUMNS)) @ spectra).astype("float32")


def lookup() -> tuple[np.ndarray, np.ndarray]:
    """Return lines and samples, counted from 1, of a ground grid turned by 90 degrees with a margin of nothing."""
    line, sample = np.zeros((2, COLUMNS + 2, ROWS + 1), np.int32)
    for row in range(COLUMNS):
        for column in range(ROWS):
            line[row + 1, column], sample[row + 1, column] = column + 1, COLUMNS - row
    return line, sample


@pytest.fixture
def cube() -> np.ndarray:
    """Return the scene every granule holds."""
    return reflectance()


@pytest.fixture
def emit(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write an EMIT L2A granule."""
    path = tmp_path / "EMIT_L2A_RFL_001_20230316T045133_2307503_005.nc"
    values = cube.copy()
    values[:, :, list(WATER)] = -0.01
    values[0, 0] = -9999
    line, sample = lookup()
    with h5py.File(path, "w") as file:
        data = file.create_dataset("reflectance", data=values, chunks=(4, 3, 10), compression="gzip")
        data.attrs["_FillValue"] = np.float32(-9999)
        bands = file.create_group("sensor_band_parameters")
        bands["wavelengths"], bands["fwhm"] = NM.astype("f4"), np.full(len(NM), 8.5, "f4")
        bands["wavelengths"].attrs["units"] = bands["fwhm"].attrs["units"] = "nm"
        bands["good_wavelengths"] = (~np.isin(np.arange(len(NM)), WATER)).astype("u1")
        y, x = np.mgrid[:ROWS, :COLUMNS]
        file["location/lat"], file["location/lon"] = 36.0 - 0.0005 * x, -118.0 + 0.0005 * y
        file["location/elev"] = np.zeros((ROWS, COLUMNS))
        for name, table in (("glt_y", line), ("glt_x", sample)):
            file[f"location/{name}"] = table
            file[f"location/{name}"].attrs["_FillValue"] = np.int32(0)
        file.attrs["time_coverage_start"] = "2023-03-16T04:51:33+0000"
        file.attrs["geotransform"] = np.array(LONLAT.to_gdal())
        file.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()
    return path


@pytest.fixture
def aviris3(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write an AVIRIS-3 L2A line, orthorectified."""
    path = tmp_path / "AV320230915t200714_000_L2A_OE_main_RFL_ORT.nc"
    values = cube.transpose(2, 0, 1).copy()
    values[:, 0, 0] = -9999
    with h5py.File(path, "w") as file:
        data = file.create_dataset("reflectance/reflectance", data=values, chunks=(5, 4, 3))
        data.attrs["_FillValue"], data.attrs["grid_mapping"] = np.float32(-9999), "transverse_mercator"
        file["reflectance/wavelength"], file["reflectance/fwhm"] = NM, np.full(len(NM), 7.4)
        file["easting"] = 400_015.0 + 30 * np.arange(COLUMNS)
        file["northing"] = 3_999_985.0 - 30 * np.arange(ROWS)
        file["transverse_mercator"] = np.bytes_(b"")
        file["transverse_mercator"].attrs["spatial_ref"] = CRS.from_epsg(32611).to_wkt()
        file["transverse_mercator"].attrs["GeoTransform"] = " ".join(map(str, UTM.to_gdal()))
    return path


@pytest.fixture
def aviris3_radiance(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write an AVIRIS-3 L1B line in sensor geometry; a minus in its table marks a cell filled from a neighbour."""
    path = tmp_path / "AV320230915t200714_000_L1B_RDN_main_RDN.nc"
    line, sample = lookup()
    with h5py.File(path, "w") as file:
        file["radiance/radiance"] = 10 * cube.transpose(2, 0, 1)
        file["radiance/wavelength"], file["radiance/fwhm"] = NM, np.full(len(NM), 7.4)
        file["geolocation_lookup_table/line"], file["geolocation_lookup_table/sample"] = -line, -sample
        file["transverse_mercator"] = np.bytes_(b"")
        file["transverse_mercator"].attrs["spatial_ref"] = CRS.from_epsg(32611).to_wkt()
        file["transverse_mercator"].attrs["GeoTransform"] = " ".join(map(str, UTM.to_gdal()))
    return path


@pytest.fixture
def prisma(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write a PRISMA L2D granule: two detectors, long waves first, two bands that are not there."""
    path = tmp_path / "PRS_L2D_STD_20201214060713_20201214060717_0001.he5"
    with h5py.File(path, "w") as file:
        fields = file.create_group("HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields")
        for name, bands, lowest, highest in (("Vnir", [3, 2, 1, 0], 0.0, 1.0), ("Swir", [9, 8, 7, 6, 5, 4], -0.1, 0.9)):
            stored = np.rint((cube[:, :, bands] - lowest) / (highest - lowest) * 65535)
            stored[0, 0] = 0
            stored = np.concatenate([stored, np.zeros((ROWS, COLUMNS, 1))], axis=2)
            fields[f"{name.upper()}_Cube"] = stored.transpose(0, 2, 1).astype("u2")
            fields[f"{name.upper()}_PIXEL_L2_ERR_MATRIX"] = np.zeros((ROWS, len(bands) + 1, COLUMNS), "u1")
            file.attrs[f"List_Cw_{name}"] = np.append(NM[bands], 0).astype("f4")
            file.attrs[f"List_Fwhm_{name}"] = np.append(np.full(len(bands), 11.0), 0).astype("f4")
            file.attrs[f"List_Cw_{name}_Flags"] = np.append(np.ones(len(bands), int), 0)
            file.attrs[f"L2Scale{name}Min"], file.attrs[f"L2Scale{name}Max"] = np.float32(lowest), np.float32(highest)
        file.attrs["Epsg_Code"] = np.int32(32611)
        file.attrs["Product_ULcorner_easting"], file.attrs["Product_ULcorner_northing"] = 400_015.0, 3_999_985.0
        file.attrs["Product_LRcorner_easting"] = 400_015.0 + 30 * (COLUMNS - 1)
        file.attrs["Product_LRcorner_northing"] = 3_999_985.0 - 30 * (ROWS - 1)
    return path


@pytest.fixture
def write_tanager(tmp_path: Path, cube: np.ndarray) -> Write:
    """Return what writes a Tanager scene, as the sensor saw it or on a grid."""

    def write(kind: str = "GRIDS", **left_out: Any) -> Path:
        path = tmp_path / f"20250515_{kind.lower()}_sr_hdf5.h5"
        values = cube.transpose(2, 0, 1).copy()
        values[:, 0, 0] = -9999
        with h5py.File(path, "w") as file:
            fields = file.create_group(f"HDFEOS/{kind}/HYP/Data Fields")
            data = fields.create_dataset("surface_reflectance", data=values, chunks=(10, 4, 3))
            attrs = {
                "_FillValue": np.float32(-9999), "wavelengths": NM, "fwhm": np.full(len(NM), 5.5),
                "wavelengths_units": "nm", "good_wavelengths": (~np.isin(np.arange(len(NM)), WATER)).astype("u1"),
            }  # fmt: skip
            data.attrs.update({key: value for key, value in attrs.items() if key not in left_out})
            for name, place in (("nodata_pixels", (0, 0)), ("beta_cloud_mask", (3, 4)), ("beta_cirrus_mask", (5, 6))):
                layer = np.zeros((ROWS, COLUMNS), "u1")
                layer[place] = 1
                fields[name] = layer
            y, x = np.mgrid[:ROWS, :COLUMNS]
            if kind == "SWATHS":
                geo = file.create_group(f"HDFEOS/{kind}/HYP/Geolocation Fields")
                geo["Latitude"], geo["Longitude"] = 36.0 - 0.0003 * y, -118.0 + 0.0003 * x
            east, south = 400_000 + 30 * COLUMNS, 4_000_000 - 30 * ROWS
            text = (
                'GROUP=GridStructure\n\tGROUP=GRID_1\n\t\tGridName="HYP"\n\t\tUpperLeftPointMtrs=(400000.0,4000000.0)\n'
                f"\t\tLowerRightMtrs=({east}.0,{south}.0)\n\t\tProjection=HE5_GCTP_UTM\n\t\tZoneCode=11\n"
            )
            file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_(text.encode())
        return path

    return write


@pytest.fixture
def pace(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write a PACE OCI level 2 granule: packed 16-bit numbers, a swath, named flags."""
    path = tmp_path / "PACE_OCI.20240601T203000.L2.SFREFL.V3_0.nc"
    stored = np.rint(cube / 2e-5 - 5000).astype("i2")
    stored[0, 0] = -32767
    with h5py.File(path, "w") as file:
        data = file.create_dataset("geophysical_data/rhos", data=stored, chunks=(6, 9, 5))
        data.attrs.update(scale_factor=np.float32(2e-5), add_offset=np.float32(0.1), _FillValue=np.int16(-32767))
        flags = np.zeros((ROWS, COLUMNS), "i4")
        flags[3, 4], flags[5, 5] = 512, 2
        file["geophysical_data/l2_flags"] = flags
        masks = np.array([1, 2, 512], "i4")
        file["geophysical_data/l2_flags"].attrs.update(flag_masks=masks, flag_meanings="ATMFAIL LAND CLDICE")
        file["sensor_band_parameters/wavelength_3d"] = NM.astype("i4")
        y, x = np.mgrid[:ROWS, :COLUMNS]
        file["navigation_data/latitude"] = (36.0 - 0.01 * y).astype("f4")
        file["navigation_data/longitude"] = (-118.0 + 0.01 * x).astype("f4")
    return path


@pytest.fixture
def enmap(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write an EnMAP L2A scene: GeoTIFF and METADATA.XML."""
    scene = tmp_path / "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
    stored = np.rint(cube * 10000).astype("i2")
    stored[0, 0] = -32768
    path = write_raster(scene.with_name(scene.name + "-SPECTRAL_IMAGE.TIF"), stored, nodata=-32768)
    bands = "".join(
        f"<bandID number='{k + 1}'><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand><FWHMOfBand>7.5</FWHMOfBand>"
        "<GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
        for k, nm in enumerate(NM)
    )
    scene.with_name(scene.name + "-METADATA.XML").write_text(
        f"<?xml version='1.0' encoding='UTF-8'?><level_X><base><level>L2A</level></base><specific>"
        f"<bandCharacterisation>{bands}</bandCharacterisation>"
        "<vnirProductQuality><expectedChannelsList>1,2,3,4</expectedChannelsList></vnirProductQuality>"
        "<swirProductQuality><expectedChannelsList>5,6,7,8,9</expectedChannelsList></swirProductQuality>"
        "</specific></level_X>"
    )
    return path


@pytest.fixture
def desis(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write a DESIS L2A scene (visible and near infrared only); the file itself has no nodata value."""
    scene = tmp_path / "DESIS-HSI-L2A-DT0483531728_001-20200810T235411-V0210"
    stored = np.rint(cube[:, :, :4] * 10000).astype("i2")
    stored[0, 0] = -32768
    path = write_raster(scene.with_name(scene.name + "-SPECTRAL_IMAGE.tif"), stored, interleave="pixel")
    bands = "".join(
        f"<band><bandNumber>{k + 1}</bandNumber><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>"
        "<wavelengthWidthOfBand>3.5</wavelengthWidthOfBand><gainOfBand>0.0001</gainOfBand>"
        "<offsetOfBand>0.0</offsetOfBand></band>"
        for k, nm in enumerate(NM[:4])
    )
    scene.with_name(scene.name + "-METADATA.xml").write_text(
        f"<?xml version='1.0'?><hsi_doc xmlns='urn:d'><specific><bandCharacterisation>{bands}</bandCharacterisation>"
        "</specific></hsi_doc>"
    )
    return path


S2_BANDS = {"B02": 492.1, "B03": 559.0, "B04": 665.0, "B8A": 864.0, "B11": 1610.4}


@pytest.fixture
def sentinel2(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write a Sentinel-2 L2A product: five bands at 20 m, two at 10 m, a scene classification."""
    folder = tmp_path / "S2B_MSIL2A_20230801T105629_N0509_R094_T32UQD_20230801T150000.SAFE"
    images = folder / "GRANULE/L2A_T32UQD_A033500_20230801T105629/IMG_DATA"
    names, infos, offsets = [], [], []
    for k, (band, nm) in enumerate(S2_BANDS.items()):
        physical = band.replace("B0", "B")
        stored = np.rint(cube[:, :, k] * 10000 + 1000).astype("u2")
        stored[0, 0] = 0
        name = f"R20m/T32UQD_20230801T105629_{band}_20m"
        write_raster(images / f"{name}.tif", stored[:, :, None], transform=UTM @ Affine.scale(20 / 30))
        names.append(name)
        offsets.append(f'<BOA_ADD_OFFSET band_id="{k}">-1000</BOA_ADD_OFFSET>')
        infos.append(
            f'<Spectral_Information bandId="{k}" physicalBand="{physical}"><RESOLUTION>20</RESOLUTION><Wavelength>'
            f'<MIN unit="nm">{nm - 10}</MIN><MAX unit="nm">{nm + 10}</MAX>'
            f'<CENTRAL unit="nm">{nm}</CENTRAL></Wavelength>'
            "</Spectral_Information>"
        )
    scene = np.full((ROWS, COLUMNS), 4, "u1")
    scene[3, 4], scene[5, 6] = 9, 3
    write_raster(
        images / "R20m/T32UQD_20230801T105629_SCL_20m.tif", scene[:, :, None], transform=UTM @ Affine.scale(20 / 30)
    )
    for band in ("B02", "B03"):
        name = f"R10m/T32UQD_20230801T105629_{band}_10m"
        fine = np.full((2 * ROWS, 2 * COLUMNS, 1), 3000, "u2")
        write_raster(images / f"{name}.tif", fine, transform=UTM @ Affine.scale(10 / 30))
        names.append(name)
    names += ["R20m/T32UQD_20230801T105629_SCL_20m", "R20m/T32UQD_20230801T105629_TCI_20m"]
    listed = "".join(f"<IMAGE_FILE>{(images / n).relative_to(folder).as_posix()}</IMAGE_FILE>" for n in names)
    (folder / "MTD_MSIL2A.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><n1:Level-2A_User_Product xmlns:n1="urn:s2"><n1:General_Info>'
        f"<Product_Info><Granule_List><Granule>{listed}</Granule></Granule_List></Product_Info>"
        "<Product_Image_Characteristics><QUANTIFICATION_VALUES_LIST>"
        '<BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>'
        f"<BOA_ADD_OFFSET_VALUES_LIST>{''.join(offsets)}</BOA_ADD_OFFSET_VALUES_LIST>"
        f"<Spectral_Information_List>{''.join(infos)}</Spectral_Information_List>"
        "</Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"
    )
    return folder / "MTD_MSIL2A.xml"


@pytest.fixture
def landsat(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write a Landsat 9 Collection 2 level 2 scene with level 1 numbers of the same names further down."""
    scene = "LC09_L2SP_130039_20220311_20220314_02_T1"
    contents, scales = [], []
    for n in range(1, 8):
        stored = np.rint((cube[:, :, n - 1] + 0.2) / 2.75e-5).astype("u2")
        stored[0, 0] = 0
        write_raster(tmp_path / f"{scene}_SR_B{n}.TIF", stored[:, :, None])
        contents.append(f'    FILE_NAME_BAND_{n} = "{scene}_SR_B{n}.TIF"')
        scales += [f"    REFLECTANCE_MULT_BAND_{n} = 2.75e-05", f"    REFLECTANCE_ADD_BAND_{n} = -0.2"]
    quality = np.full((ROWS, COLUMNS), 21824, "u2")
    quality[3, 4], quality[0, 0] = 22280, 1
    write_raster(tmp_path / f"{scene}_QA_PIXEL.TIF", quality[:, :, None])
    contents.append(f'    FILE_NAME_QUALITY_L1_PIXEL = "{scene}_QA_PIXEL.TIF"')
    groups = [
        ("PRODUCT_CONTENTS", contents),
        ("IMAGE_ATTRIBUTES", ['    SPACECRAFT_ID = "LANDSAT_9"']),
        ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", scales),
        ("LEVEL1_RADIOMETRIC_RESCALING", ["    REFLECTANCE_MULT_BAND_1 = 2.0E-05"]),
    ]
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for name, items in groups:
        lines += [f"  GROUP = {name}", *items, f"  END_GROUP = {name}"]
    path = tmp_path / f"{scene}_MTL.txt"
    path.write_text("\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END"]) + "\n")
    return path


@pytest.fixture
def hspy(tmp_path: Path, cube: np.ndarray) -> Path:
    """Write a HyperSpy electron energy-loss map."""
    path = tmp_path / "eels.hspy"
    axes = [("y", "nm", 2.0, 0.0, True), ("x", "nm", 2.0, 0.0, True), ("Energy loss", "eV", 0.5, 280.0, False)]
    with h5py.File(path, "w") as file:
        group = file.create_group("Experiments/map")
        group["data"] = cube
        for k, (name, units, scale, offset, navigate) in enumerate(axes):
            axis = group.create_group(f"axis-{k}")
            axis.attrs.update(name=name, units=units, scale=scale, offset=offset, navigate=navigate, size=cube.shape[k])
    return path


def write_raster(
    path: Path, values: np.ndarray, nodata: float | None = None, transform: Affine = UTM, **options: Any
) -> Path:
    """Write an array (y, x, band) as a GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, n_bands = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=n_bands, dtype=values.dtype, nodata=nodata,
        crs="EPSG:32611", transform=transform, **options,
    ) as file:  # fmt: skip
        file.write(values.transpose(2, 0, 1))
    return path
