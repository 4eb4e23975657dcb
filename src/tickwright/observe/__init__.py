"""Subscribers to events; bootstrap plugs them in."""

MEMBERS = {"log": "tickwright.observe.log:LogSubscriber"}
