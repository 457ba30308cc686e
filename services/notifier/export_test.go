package notifier

// Sign is how webhooks are signed.
var Sign = sign
