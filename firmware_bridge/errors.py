"""Errors of the bridge, split by who can mend them."""


class BridgeError(Exception):
    """Base of all errors of this package; its text says what, where and what to do."""


class SourceError(BridgeError):
    """A source that cannot be opened or that ended: port, permission, file, address."""


class SourceUriError(SourceError):
    """A source URI that cannot be understood."""


class TransientSourceError(SourceError):
    """The link broke (unplugged, out of range); opening again may succeed."""


class NotInReachError(TransientSourceError):
    """The device is not there now (unplugged, not advertising); it is to be watched for."""


class EncodeError(BridgeError):
    """Values that the wire format cannot carry."""
