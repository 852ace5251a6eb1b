"""What people and programs see over HTTP: pages, API, health. It reads rows and files and never calls a station."""
