<?php

declare(strict_types=1);

// Passes bytes on between whoever connects and a server: `php relay.php 127.0.0.1:PORT 127.0.0.1:SERVER`. It says when
// it listens. Ending it ends every connection through it.

$relay = stream_socket_server("tcp://{$argv[1]}");
if ($relay === false) {
    exit(1);
}
echo "listening\n";
/** @var array<int, resource> $ends */
$ends = [];
/** @var array<int, resource> $others the other end of each */
$others = [];
while (true) {
    [$ready, $none] = [[$relay, ...array_values($ends)], null];
    stream_select($ready, $none, $none, null);
    foreach ($ready as $end) {
        if ($end === $relay) {
            $near = stream_socket_accept($relay, 1);
            $far = $near === false ? false : stream_socket_client("tcp://{$argv[2]}");
            if ($near !== false && $far !== false) {
                $ends += [(int) $near => $near, (int) $far => $far];
                $others += [(int) $near => $far, (int) $far => $near];
            }
            continue;
        }
        $other = $others[(int) $end] ?? null;
        $piece = $other === null ? '' : (string) fread($end, 65536);
        if ($piece !== '' && $other !== null) {
            fwrite($other, $piece);
        } elseif ($other !== null) {
            unset($ends[(int) $end], $ends[(int) $other], $others[(int) $end], $others[(int) $other]);
            fclose($end);
            fclose($other);
        }
    }
}
