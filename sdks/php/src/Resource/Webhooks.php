<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Call;
use InnoAI\Internal\Check;
use InnoAI\Internal\Params;
use InnoAI\Model\Delivery;
use InnoAI\Model\EventType;
use InnoAI\Model\Replay;
use InnoAI\Model\WebhookEndpoint;
use InnoAI\Page\Listing;
use InnoAI\Page\Page;
use InnoAI\Stream\EventStream;
use InnoAI\Stream\Live;

/** Where events are sent, what became of them, and the events themselves. `InnoAI\Webhook` verifies what they bring. */
final class Webhooks extends Resource
{
    /**
     * Have events sent to that URL. The answer's `secret`, which they are signed with, is shown this once.
     *
     * `event_types`: `key.created`, `key.*`; by default all. `headers`: sent with each delivery, and never shown again.
     * Idempotency-Key as for keys.
     *
     * @param array{
     *     url: string,
     *     event_types?: list<string>,
     *     description?: string,
     *     headers?: array<string, string>,
     *     disabled?: bool,
     * } $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function create(#[\SensitiveParameter] array $params, array $options = []): WebhookEndpoint
    {
        $call = Call::create('/webhooks', Params::known($params), $options);
        return WebhookEndpoint::from($this->sender->object($call));
    }

    /**
     * The account's endpoints. `limit`: endpoints a page, 1-100.
     *
     * @param array{limit?: int, cursor?: string} $params
     * @return Page<WebhookEndpoint>
     */
    public function list(array $params = []): Page
    {
        return Page::first(new Listing($this->sender, '/webhooks', WebhookEndpoint::class, $params));
    }

    /** The endpoint of that id, `whe_…`. */
    public function get(string $endpointId): WebhookEndpoint
    {
        return WebhookEndpoint::from($this->sender->object(Call::get(self::endpoint($endpointId))));
    }

    /**
     * Change what is given and leave the rest. Enabling forgets why the endpoint was disabled.
     *
     * @param array{
     *     url?: string,
     *     event_types?: list<string>,
     *     description?: string|null,
     *     headers?: array<string, string>,
     *     disabled?: bool,
     * } $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function update(
        string $endpointId,
        #[\SensitiveParameter] array $params,
        array $options = [],
    ): WebhookEndpoint {
        $call = Call::change(self::endpoint($endpointId), Params::given($params), $options);
        return WebhookEndpoint::from($this->sender->object($call));
    }

    /** Delete the endpoint; nothing is sent to it any more. */
    public function delete(string $endpointId): void
    {
        $this->sender->run(Call::delete(self::endpoint($endpointId)));
    }

    /**
     * A new secret, in `secret` this once. Until the overlap ends, deliveries bear both signatures.
     *
     * `overlap`: seconds, 0-604,800, a day by default. Idempotency-Key as for keys.
     *
     * @param array{overlap?: int} $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function rotateSecret(string $endpointId, array $params = [], array $options = []): WebhookEndpoint
    {
        $call = Call::create(self::endpoint($endpointId) . '/rotate-secret', Params::known($params), $options);
        return WebhookEndpoint::from($this->sender->object($call));
    }

    /**
     * Send the event `webhook.test` to that endpoint alone. The delivery is under way when this returns.
     *
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function test(string $endpointId, array $options = []): Delivery
    {
        $call = Call::create(self::endpoint($endpointId) . '/test', null, $options);
        return Delivery::from($this->sender->object($call));
    }

    /**
     * Send again all that failed at that endpoint since then. The answer's `count` says how many.
     *
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function replay(string $endpointId, string|\DateTimeInterface $since, array $options = []): Replay
    {
        $body = Params::known(['since' => $since]);
        return Replay::from(
            $this->sender->object(Call::create(self::endpoint($endpointId) . '/replay', $body, $options)),
        );
    }

    /**
     * Every type of event, with its schema and an example.
     *
     * @return Page<EventType>
     */
    public function eventTypes(): Page
    {
        return Page::first(new Listing($this->sender, '/webhooks/event-types', EventType::class, []));
    }

    /**
     * What was sent or will be, the newest first. `limit`: deliveries a page, 1-100.
     *
     * @param array{
     *     endpoint_id?: string,
     *     state?: string|\InnoAI\Enum\DeliveryState,
     *     event_type?: string,
     *     limit?: int,
     *     cursor?: string,
     * } $params
     * @return Page<Delivery>
     */
    public function deliveries(array $params = []): Page
    {
        return Page::first(new Listing($this->sender, '/webhooks/deliveries', Delivery::class, $params));
    }

    /** The delivery of that id, `dlv_…`, with its event and the log of its attempts. */
    public function delivery(string $deliveryId): Delivery
    {
        return Delivery::from($this->sender->object(Call::get(self::deliveryPath($deliveryId))));
    }

    /**
     * Send that event to that endpoint again: a new delivery with the same webhook-id.
     *
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function replayDelivery(string $deliveryId, array $options = []): Delivery
    {
        $call = Call::create(self::deliveryPath($deliveryId) . '/replay', null, $options);
        return Delivery::from($this->sender->object($call));
    }

    /**
     * The account's events as they happen; a lost connection is made again, and misses none.
     *
     * `event_types`: `key.created`, `key.*`; by default all. `last_event_id`: begin behind that event. `lost`: told
     * each time that the connection is lost, with the seconds until the next attempt.
     *
     * @param array{event_types?: list<string>, last_event_id?: string, lost?: callable(float): void} $params
     */
    public function stream(array $params = []): EventStream
    {
        $types = $params['event_types'] ?? [];
        return new EventStream(new Live(
            $this->sender,
            '/webhooks/stream',
            ['event_types' => $types === [] ? null : $types],
            $params['last_event_id'] ?? null,
            $params['lost'] ?? null,
        ));
    }

    private static function endpoint(string $endpointId): string
    {
        return '/webhooks/' . Check::segment('endpoint_id', $endpointId);
    }

    private static function deliveryPath(string $deliveryId): string
    {
        return '/webhooks/deliveries/' . Check::segment('delivery_id', $deliveryId);
    }
}
