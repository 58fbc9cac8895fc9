<?php

declare(strict_types=1);

use InnoAI\Webhook;

require __DIR__ . '/../../autoload.php';

$directory = (string) getenv('RECEIVER_DIRECTORY');
$secret = (string) file_get_contents("{$directory}/secret");
$body = (string) file_get_contents('php://input');
$headers = getallheaders();

$verdicts = [
    Webhook::verify($body, $_SERVER['HTTP_X_INNOAI_SIGNATURE'] ?? '', $secret),
    Webhook::verifyStandard($body, $headers, $secret),
];
http_response_code($verdicts === [true, true] ? 204 : 401);
$name = sprintf('%s/%020d-%s', $directory, microtime(true) * 1e6, bin2hex(random_bytes(4)));
file_put_contents("{$name}.part", json_encode(['headers' => $headers, 'body' => $body, 'verdicts' => $verdicts]));
rename("{$name}.part", "{$name}.json");
