<?php

declare(strict_types=1);

// A server that says what it is told: `php raw-server.php BASE64…`, one answer a connection, the last one for ever.
// An answer is bytes; `\x00` in them is a pause of 50 ms, and `\x01` stands for a mebibyte of lines `a,b`. It prints
// its address, and a line for each connection with the number of bytes that it got.

$answers = array_map(static fn (string $text): string => (string) base64_decode($text), array_slice($argv, 1));
$server = stream_socket_server('tcp://127.0.0.1:0');
if ($server === false) {
    exit(1);
}
echo stream_socket_get_name($server, false), "\n";
while (($peer = stream_socket_accept($server, -1)) !== false) {
    $answer = count($answers) > 1 ? array_shift($answers) : $answers[0];
    $got = '';
    while (!str_contains($got, "\r\n\r\n") && ($piece = fread($peer, 65536)) !== false && $piece !== '') {
        $got .= $piece;
    }
    $length = preg_match('/^content-length: (\d+)/mi', $got, $found) === 1 ? (int) $found[1] : 0;
    $whole = (int) strpos($got, "\r\n\r\n") + 4 + $length;
    while (strlen($got) < $whole && ($piece = fread($peer, 65536)) !== false && $piece !== '') {
        $got .= $piece;
    }
    foreach (explode("\0", $answer) as $number => $part) {
        usleep($number === 0 ? 0 : 50_000);
        if (@fwrite($peer, str_replace("\x01", str_repeat("a,b\n", 1 << 18), $part)) === false) {
            break;
        }
    }
    fclose($peer);
    echo strlen($got), "\n";
}
