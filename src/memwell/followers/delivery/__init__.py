"""Durable delivery of what is stored and removed: a sink of the follower that sends each change to one endpoint.

| module | contents |
|---|---|
| `messages` | a change as a message: its id, its type, its body |
| `endpoints` | where to deliver, kept in a log beside the store |
| `queue` | messages that wait for another attempt, and dead letters |
| `sink` | the sink: order, attempts, what is parked and what is given up |
| `webhook`, `stream`, `sqs` | HTTP by Standard Webhooks, a stream of a `Log`, a queue of Amazon SQS |
"""
