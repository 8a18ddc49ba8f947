module greenbridge.example/http

go 1.21
