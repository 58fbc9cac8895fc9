<?php

declare(strict_types=1);

// Makes one call that fails, `php failing-call.php BASE_URL NAME`, and shows its exception in every way that PHP has.

use InnoAI\Client;
use InnoAI\Exception\InnoAIException;
use InnoAI\Webhook;

require __DIR__ . '/../../autoload.php';

const SECRET = 'passed-not-to-be-shown';

$client = new Client(['api_key' => 'sk-inno-not-to-be-shown', 'base_url' => $argv[1], 'max_retries' => 0]);
$calls = [
    'validate' => static fn () => $client->auth->validate(),
    'validate as customer' => static fn () => $client->asCustomer('c')->auth->validate(),
    'refresh' => static fn () => $client->auth->refresh(SECRET),
    'revoke' => static fn () => $client->auth->revoke(SECRET),
    'introspect' => static fn () => $client->auth->introspect(SECRET),
    'explain' => static fn () => $client->auth->explain(['key' => SECRET, 'method' => 'GET', 'path' => '/']),
    'a key as an id' => static fn () => $client->keys->revoke('sk-inno-' . SECRET),
    'headers of an endpoint that are no UTF-8' => static fn () => $client->webhooks->create([
        'url' => 'u',
        'headers' => ['a' => SECRET . "\xff"],
    ]),
    'a key with a line end' => static fn () => $client->with(['api_key' => SECRET . "\n" . SECRET]),
    'an option that does not exist' => static fn () => new Client(['apikey' => SECRET]),
    'a key that is a list' => static fn () => new Client(['api_key' => [SECRET]]),
    'a header with a line end' => static fn () => $client->with(['default_headers' => ['X-A' => SECRET . "\r\nB: c"]]),
    'a webhook secret that is no base64' => static fn () => Webhook::signStandard('{}', 'evt', '1', 'whsec_' . SECRET),
    'nobody listens' => static fn () => $client->with(['base_url' => 'http://127.0.0.1:1/v1'])->keys->create([]),
    'side by side' => static fn () => $client->concurrently([static fn () => $client->auth->refresh(SECRET)]),
];

try {
    $calls[$argv[2]]();
} catch (InnoAIException $problem) {
    for ($each = $problem; $each !== null; $each = $each->getPrevious()) {
        echo $each, "\n";
        var_dump($each, $each->getTrace());
        print_r($each);
        print_r($each->getTrace());
        @var_export($each);
        @var_export($each->getTrace());
        echo json_encode($each->getTrace(), JSON_PARTIAL_OUTPUT_ON_ERROR), "\n";
    }
}
