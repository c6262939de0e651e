variable "domain" {
  description = "The name people type, such as talk.example.org; its A and AAAA records are yours to set."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9-]+([.][a-z0-9-]+)+$", var.domain))
    error_message = "The domain is a name with dots, in small letters, such as talk.example.org."
  }
}

variable "email" {
  description = "Where Let's Encrypt writes when a certificate is about to end."
  type        = string
  validation {
    condition     = can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.email))
    error_message = "The email is an address such as me@example.org."
  }
}

variable "repository" {
  description = "The https address of the git repository that the server builds from."
  type        = string
  validation {
    condition     = can(regex("^https://[^[:space:]@]+$", var.repository))
    error_message = "The repository is an https address without a password in it."
  }
}

variable "revision" {
  description = "The tag, branch or commit that is served."
  type        = string
  default     = "main"
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._/-]*$", var.revision))
    error_message = "The revision is a tag, a branch or a commit."
  }
}

variable "admin_addresses" {
  description = "Who may use ssh, as networks: [\"203.0.113.7/32\"]."
  type        = list(string)
  validation {
    condition     = length(var.admin_addresses) > 0
    error_message = "Name at least one network, or nobody can look after the server."
  }
}

variable "ssh_public_key" {
  description = "The file of your public key."
  type        = string
  default     = "~/.ssh/id_ed25519.pub"
}

variable "name" {
  description = "What the server is called."
  type        = string
  default     = "voice-kit"
}

variable "server_type" {
  description = "Dedicated cores keep time: the ccx types."
  type        = string
  default     = "ccx23"
}

variable "location" {
  description = "Near the people who talk to it: nbg1, fsn1, hel1, ash, hil, sin."
  type        = string
  default     = "nbg1"
}
