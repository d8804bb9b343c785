# The operator's page.
network-title = Network
answering-is-on = This node answers its peers
answering-is-on-help = Turn this off during maintenance. Peers then name this hospital as unreachable; nothing is lost.
answering-is-off = This node does not answer its peers
answering-is-off-help = Peers name this hospital as unreachable. Deliveries wait at their senders until you turn it on.
answering-turn-off = Stop answering
answering-turn-on = Answer peers again
peers = Peers
peers-none = This network has no other member yet.
peer = Peer
peer-state = State
peer-answered = Last answer
peer-latency = Typical time
peer-address = Address
peer-up = answers
peer-slow = slow
peer-down = does not answer
peer-wrong-key = wrong key
peer-not-asked = not asked yet
queues = Deliveries waiting
queues-none = No delivery is waiting.
queue-waiting = Waiting
queue-oldest = Oldest
queue-next = Next try
letters = Deliveries given up
letters-none = No delivery was given up.
letter-attempts = { $count ->
    [one] { $count } attempt
   *[other] { $count } attempts
}
letter-subscription = Subscription
letter-waiting = { $count ->
    [one] { $count } event waits
   *[other] { $count } events wait
}
letter-again = Try again
locator = Record locator
locator-off = This node asks every member directly.
locator-refuse = This node publishes nothing; others ask it directly.
locator-epoch = Epoch
locator-rotated = Keys since
locator-rotates = Keys change
locator-keys = Keys kept for others
locator-to = Published to
locator-from = Received from
locator-none = nobody
locator-records = Records
locator-state = State
locator-complete = complete
locator-under-way = under way
locator-at = Last word
store = Store
store-resources = Resources
store-versions = Versions
store-bytes = On disk
store-sequence = Last change
store-by-type = By type
store-type = Type
audit = Audit log
audit-entries = Entries
audit-last = Last entry
audit-hash = Hash of the last entry
audit-verify = Verify the whole log
audit-sound = All { $count } entries are sound.
audit-broken = Entry { $number } is not as it was written.
audit-empty = The log is empty.
