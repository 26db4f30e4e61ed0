"""`booper simulate`: push providers on this machine, to send to instead of the real ones.

One module per provider with its options; `running` is what they share.
"""

from __future__ import annotations

from cyclopts import App

app = App(name="simulate", help="Run a push provider on this machine, to send to instead.")
app.command("booper.cli.simulate.apns:apns", name="apns", help="Apple Push Notification service.")
app.command("booper.cli.simulate.fcm:fcm", name="fcm", help="Firebase Cloud Messaging.")
app.command("booper.cli.simulate.ntfy:ntfy", name="ntfy", help="An ntfy server, UnifiedPush too.")
app.command("booper.cli.simulate.expo:expo", name="expo", help="An Expo push service.")
app.command(
    "booper.cli.simulate.webpush:webpush", name="webpush", help="Web Push, with the browsers."
)
