output "ipv4" {
  description = "For the A record of the domain."
  value       = hcloud_server.gateway.ipv4_address
}

output "ipv6" {
  description = "For the AAAA record."
  value       = hcloud_server.gateway.ipv6_address
}

output "address" {
  description = "Where people talk, once the records are set and the certificate is there."
  value       = "https://${var.domain}/"
}
