# One server at Hetzner that serves conversations over https. The provider reads its token from
# HCLOUD_TOKEN; the conversations' secrets are made on the server: the state holds neither.

terraform {
  required_version = ">= 1.6"
  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = "~> 1.50"
    }
  }
}

provider "hcloud" {}

resource "hcloud_ssh_key" "admin" {
  name       = "${var.name}-admin"
  public_key = trimspace(file(pathexpand(var.ssh_public_key)))
}

resource "hcloud_firewall" "gateway" {
  name = var.name

  rule {
    description = "ssh"
    direction   = "in"
    protocol    = "tcp"
    port        = "22"
    source_ips  = var.admin_addresses
  }
  rule {
    description = "certificates, and the way to https"
    direction   = "in"
    protocol    = "tcp"
    port        = "80"
    source_ips  = ["0.0.0.0/0", "::/0"]
  }
  rule {
    description = "conversations"
    direction   = "in"
    protocol    = "tcp"
    port        = "443"
    source_ips  = ["0.0.0.0/0", "::/0"]
  }
}

resource "hcloud_server" "gateway" {
  name         = var.name
  image        = "ubuntu-24.04"
  server_type  = var.server_type
  location     = var.location
  ssh_keys     = [hcloud_ssh_key.admin.id]
  firewall_ids = [hcloud_firewall.gateway.id]
  user_data = templatefile("${path.module}/cloud-init.yaml", {
    domain     = var.domain
    email      = var.email
    repository = var.repository
    revision   = var.revision
  })

  public_net {
    ipv4_enabled = true
    ipv6_enabled = true
  }
}
