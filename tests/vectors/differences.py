"""Where our design decides otherwise than the library that a vector comes from.

Such a vector is run all the same, and the right behaviour for its input is asserted. The runners find out from the
input that it is one of these; the table by id is what a reader, and the test of every vector, holds them against.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Difference(Enum):
    """The decisions, each with its reason."""

    DEFAULT_HOST = "the default host is api-mt1.pusher.com, the present name of what was api.pusherapp.com"
    HTTPS = "https is the default, and a host or port of one's own does not switch it off"
    HTTP_SCHEME = "a URL begins with https:// or http://: no other scheme can be sent to"
    HOST_HAS_NO_SCHEME = "host is name[:port]: a scheme in it is refused, since ssl decides that"
    PORT_IS_INT = "a port is an int"
    TIMEOUT = "an attempt may take 5 seconds"
    QUERY_IS_TEXT = "query values are str: None and lists are refused, not turned into text"
    NO_MD5_OF_NOTHING = "a request without a body carries no body_md5, as the documentation has it"
    PUBLIC_CHANNEL = "only private-, presence- and encrypted channels are authorized: others need no authorization"
    USER_ON_PRIVATE = "a user on another channel than a presence channel is a mistake, and refused"
    PRESENCE_USER_ID = "a presence user is a mapping with a user_id: clients cannot tell members apart without"
    USER_IS_A_MAPPING = "the user of a signin is a mapping with an id"
    USER_ID_CHARACTERS = "a user id has the characters of channel names: it becomes a channel, #server-to-user-{id}"
    USER_ID_LENGTH = "a user id has up to 200 characters"
    WEBHOOK_BODY = "a webhook has time_ms: a good signature over anything else does not make it a webhook"
    WEBHOOK_WINDOW = "a webhook may be 900 s old: it is retried for 300 s, and 300 s would lose the last retry"
    CONTENT_TYPE = "the content type is not checked: the signature over the body says more"
    MASTER_KEY_LENGTH = "a master key has 32 bytes: the libraries that take another length derive a weaker key"
    RAW_MASTER_KEY = "raw master keys are no option: base64 is the one form"
    PADDED_BASE64 = "a shared secret is padded base64, as the client libraries expect"
    ENCRYPTED_ALONE = "an encrypted channel stands alone: its key is its own, also among other encrypted channels"
    ONE_CHANNEL_IN_A_LIST = "one channel is sent as a list of one"
    TEXT_AS_IT_IS = "a str is sent as it is, not as JSON text"
    COMPACT_JSON = "data is compact JSON: the limit counts its bytes"
    ABSENT_IS_NONE = "a count that was not in the answer is None, not 0"
    PUSH_PAYLOAD = "a push payload is an object"
    PUSH_WEBHOOK_URL = "the URL for push results is an http or https URL"
    CHANNEL_LENGTH = "channel names have up to 200 characters, as servers and most libraries take them"
    HUNDRED_CHANNELS = "a trigger takes up to 100 channels"
    TEN_EVENTS = "a batch takes up to 10 events"
    DATA_BYTES = "event data has up to 10,240 bytes of UTF-8 as sent"
    FORM_VALUES = "the fields of an auth form are checked, not only found"
    APP_ID_NAMES = "app ids are names of letters, digits and - . _ ~: other servers do not number their apps"


DIFFERENT: Mapping[str, tuple[Difference, ...]] = {
    "v001": (Difference.DEFAULT_HOST,),
    "v004": (Difference.DEFAULT_HOST,),
    "v007": (Difference.DEFAULT_HOST,),
    "v008": (Difference.DEFAULT_HOST,),
    "v009": (Difference.DEFAULT_HOST,),
    "v010": (Difference.DEFAULT_HOST,),
    "v011": (Difference.NO_MD5_OF_NOTHING,),
    "v020": (Difference.QUERY_IS_TEXT,),
    "v069": (
        Difference.ONE_CHANNEL_IN_A_LIST,
        Difference.TEXT_AS_IT_IS,
    ),
    "v074": (Difference.COMPACT_JSON,),
    "v127": (Difference.PUBLIC_CHANNEL,),
    "v128": (Difference.PUBLIC_CHANNEL,),
    "v133": (Difference.PUBLIC_CHANNEL,),
    "v134": (Difference.PUBLIC_CHANNEL,),
    "v136": (Difference.PUBLIC_CHANNEL,),
    "v137": (Difference.PUBLIC_CHANNEL,),
    "v139": (Difference.PUBLIC_CHANNEL,),
    "v142": (
        Difference.MASTER_KEY_LENGTH,
        Difference.USER_ON_PRIVATE,
    ),
    "v147": (Difference.PRESENCE_USER_ID,),
    "v159": (Difference.USER_ID_CHARACTERS,),
    "v160": (Difference.USER_IS_A_MAPPING,),
    "v163": (Difference.WEBHOOK_BODY,),
    "v173": (Difference.CONTENT_TYPE,),
    "v176": (Difference.WEBHOOK_BODY,),
    "v188": (Difference.WEBHOOK_WINDOW,),
    "v203": (Difference.MASTER_KEY_LENGTH,),
    "v204": (Difference.MASTER_KEY_LENGTH,),
    "v205": (Difference.MASTER_KEY_LENGTH,),
    "v215": (Difference.RAW_MASTER_KEY,),
    "v219": (Difference.RAW_MASTER_KEY,),
    "v220": (Difference.RAW_MASTER_KEY,),
    "v227": (Difference.RAW_MASTER_KEY,),
    "v229": (Difference.RAW_MASTER_KEY,),
    "v235": (Difference.RAW_MASTER_KEY,),
    "v248": (Difference.RAW_MASTER_KEY,),
    "v267": (Difference.ENCRYPTED_ALONE,),
    "v281": (Difference.HTTP_SCHEME,),
    "v292": (Difference.DEFAULT_HOST,),
    "v305": (
        Difference.HTTPS,
        Difference.PORT_IS_INT,
    ),
    "v306": (Difference.HOST_HAS_NO_SCHEME,),
    "v311": (Difference.DEFAULT_HOST,),
    "v312": (Difference.HTTPS,),
    "v314": (Difference.DEFAULT_HOST,),
    "v373": (Difference.CHANNEL_LENGTH,),
    "v417": (Difference.FORM_VALUES,),
    "v462": (Difference.PUSH_PAYLOAD,),
}

# Vectors with nothing of ours to run, each with the reason. There are none: even the texts of servers can be served.
NOT_APPLICABLE: Mapping[str, str] = {}
