"""ministack with a door that AWS keeps for its services: events whose source is one of them can be put on a bus.

RDS of ministack tells nothing, and its PutEvents refuses a source that begins with `aws.`, as that of AWS does; the rules of the stack wait for
such events. The moment that an event names is kept too, which ministack replaces by its own. What happens behind the door is ministack's:
patterns, targets, invocations.
"""

import contextvars

from ministack.app import main
from ministack.services import eventbridge

moment = contextvars.ContextVar("moment", default=None)
put_events, now = eventbridge._put_events, eventbridge._now_ts


def put_events_of_aws(data, allow_aws_source=True):
    moment.set(next((entry["Time"] for entry in data["Entries"] if "Time" in entry), None))
    try:
        return put_events(data, allow_aws_source=True)
    finally:
        moment.set(None)


eventbridge._put_events = put_events_of_aws
eventbridge._now_ts = lambda: moment.get() or now()

if __name__ == "__main__":
    main()
