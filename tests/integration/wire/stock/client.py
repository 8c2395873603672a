"""A stock python-socketio client: connects by the transport asked for, joins, and prints a line for what it hears."""
import os
import sys

import socketio

url, transport = sys.argv[1:]
client = socketio.Client(reconnection=False)


def say(*words):
    print(*words, flush=True)


@client.on("connection_response")
def connected(_message):
    client.emit("join_dashboard")


@client.on("joined_dashboard")
def joined(_message):
    client.call("ack", {}, timeout=30)
    say("joined", client.transport())


@client.on("new_lead")
def lead(message):
    say("lead", message["lead"]["name"])
    client.disconnect()


transports = None if transport == "upgrade" else [transport]
client.connect(url, auth={"token": os.environ["TOKEN"]}, transports=transports, wait_timeout=30)
client.wait()
