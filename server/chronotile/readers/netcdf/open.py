"""NetCDF files and products of NetCDF files read as cubes."""

from dataclasses import replace
from pathlib import Path

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import SourceInfo, SourceSpec
from chronotile.readers.cf.array_source import Cube, CubeVariable, level_of
from chronotile.readers.cf.axes import with_stated_time
from chronotile.readers.cf.dataset import understand
from chronotile.readers.cf.fields import about
from chronotile.readers.cf.groups import choose_group
from chronotile.readers.cf.scope import fields_in_scope
from chronotile.readers.cf.swath import OpenSwath, Swaths, open_swath
from chronotile.readers.cf.swath_reader import serve_swaths
from chronotile.readers.hrefs import base_name, is_data_file, local_path, product_of
from chronotile.readers.library_errors import opening
from chronotile.readers.netcdf.groups import probe_group
from chronotile.readers.netcdf.hdf5 import require_few_arrays
from chronotile.readers.netcdf.sentinel3 import Sentinel3Folder, open_folder
from chronotile.readers.netcdf.source import NetcdfFile, is_hdf5, shared_files
from chronotile.readers.reader import Reader


def open_netcdf(
    spec: SourceSpec, *, may_lack: bool = False, is_dated: bool = False, open_swath: OpenSwath = open_swath
) -> Reader:
    """Return a reader of the NetCDF file that `spec` names, classic or NetCDF-4, or of a product of Sentinel-3.

    Args:
        spec: The source.
        may_lack: Whether variables may be missing, because the source has several files.
        is_dated: Whether its name has a time, which takes precedence over global attributes except for swaths.
        open_swath: Opens the swath of a geolocation.

    Raises:
        UnsupportedSource: It cannot be served; the message gives the reason.
    """
    path = local_path(spec.href)
    if path is None:
        raise UnsupportedSource(
            "a NetCDF file on another machine is not read in place; copy it here or convert it to Zarr"
        )
    if not is_data_file(str(path)):
        raise UnsupportedSource(f"{path.name} does not exist")
    with opening(base_name(spec.href)):
        file = _open_file(path, spec, may_lack=may_lack)
        tree = file.tree()
        choice = choose_group(tree, spec, lambda group: probe_group(tree, group, spec))
        fields, notes = fields_in_scope(tree, choice.path), tuple[Finding, ...]()
        if spec.times is None:
            try:
                fields = with_stated_time(fields, is_dated=is_dated)
            except UnsupportedSource as error:
                notes = () if is_dated else (Finding("note", "/", error.message),)
        if may_lack:
            stored = {name: v for name, v in spec.variables.items() if (v.name or v.id) in fields.fields}
            spec = replace(spec, variables=stored or spec.variables)
        swaths = choice.swaths or Swaths(fields, spec.grid, open_swath)
        content = understand(fields, spec, others=choice.findings, swaths=swaths)
        folder = choice.path and f"{choice.path}/"
        variables = {
            name: CubeVariable(
                variable.info,
                (level_of(variable, file.array(f"{folder}{variable.array}", growing=variable.growing)),),
            )
            for name, variable in content.variables.items()
        }
    info = SourceInfo(
        variables={name: variable.info for name, variable in variables.items()},
        **about(fields.attrs),
        findings=(*dict.fromkeys((*choice.findings, *content.findings)), *file.notes.get(choice.path, ()), *notes),
        is_of_files=True,
        group=choice.path,
        other_groups=choice.other_paths,
    )
    return serve_swaths(spec.collection, Cube(spec.collection, variables, info, file=str(path)), content.swaths)


def _open_file(path: Path, spec: SourceSpec, *, may_lack: bool) -> NetcdfFile | Sentinel3Folder:
    if product_of(path) is not None:
        return open_folder(
            path, {variable.name or variable.id for variable in spec.variables.values()}, may_lack=may_lack
        )
    if not spec.variables and not spec.group and is_hdf5(path):
        require_few_arrays(path)
    try:
        return NetcdfFile(path, shared_files())
    except (TypeError, ValueError) as error:
        if is_hdf5(path):
            raise
        # NumPy cannot map an array of a classic file into its bytes.
        raise UnsupportedSource(
            f"{path.name} does not have the size that its header states: it is damaged, or was copied in part; "
            "copy or write it again"
        ) from error
