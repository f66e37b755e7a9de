"""The fault campaign: every outbound call of a rotation, broken in every way that a call can break.

The calls of a clean run are recorded first (`sites`). Then one case after the other (`cases`) repeats that run with one
fault (`flavours`) at one of those calls, lets the app recover (`play`), and checks every promise: after each call
(`watch`) and at the end (`verdicts`). The app is the deployed files in a real process that really gets killed.
"""
