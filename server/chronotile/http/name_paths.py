"""Path convertor `names` of routes, registered when this module is imported."""

from starlette.convertors import PathConvertor, register_url_convertor


class NamePath(PathConvertor):
    """The rest of a path, made of names of files and items: unlike `path`, it may contain line breaks."""

    regex = "(?s:.*)"


register_url_convertor("names", NamePath())
