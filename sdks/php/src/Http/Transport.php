<?php

declare(strict_types=1);

namespace InnoAI\Http;

/** Sends a request, and answers as soon as the head of the answer is there. Redirects are not followed. */
interface Transport
{
    /** @throws TransportFailure */
    public function send(Request $request): Response;
}
