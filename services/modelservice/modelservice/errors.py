"""What can go wrong on the way from a record to a served model, by what to do about it."""


class SettingError(Exception):
    """A setting is missing or wrong; the message names it."""


class Refused(Exception):  # noqa: N818 - "a Refused" is what the docs call it
    """The event or artifact is bad: trying again cannot help, the model that is served stays."""


class Unavailable(Exception):  # noqa: N818
    """A part is away or busy: worth trying again."""


class Denied(Exception):  # noqa: N818
    """A part that is there refuses this service; the message names the setting to change."""
