domain          = "talk.example.org"
email           = "me@example.org"
repository      = "https://git.example.org/me/voice-kit.git"
revision        = "v0.1.0"
admin_addresses = ["203.0.113.7/32"]
